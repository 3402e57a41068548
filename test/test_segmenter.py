from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import SegformerForSemanticSegmentation

from ditta_ros import segmenter as segmenter_module
from ditta_ros.frame import Frame
from ditta_ros.segmenter import Segmenter, reliability, upsample
from ditta_ros.segmenter_files import IMAGENET_MEAN, IMAGENET_STD
from small_segformer import edit, normalised, random_network, random_rgb


@pytest.fixture
def network() -> SegformerForSemanticSegmentation:
    return random_network()


@pytest.fixture
def directory(network: SegformerForSemanticSegmentation, tmp_path: Path) -> Path:
    network.save_pretrained(tmp_path / 'model')
    return tmp_path / 'model'


@pytest.mark.parametrize('size_px', [(64, 96), (50, 71)])
def test_logits_are_those_of_transformers(network, directory, size_px) -> None:
    rgb = random_rgb(*size_px)
    segmenter = Segmenter.load(str(directory))
    with torch.no_grad():
        expected = network(normalised(rgb, IMAGENET_MEAN, IMAGENET_STD)).logits
        got = segmenter.head(segmenter.encode(Frame(0, 'camera', rgb)))
    assert expected.std() > 0.01
    torch.testing.assert_close(got.logits, expected, rtol=1e-5, atol=1e-5)
    assert got.feature.shape == (1, 16, *expected.shape[-2:])


def test_a_batch_is_its_frames(directory) -> None:
    segmenter = Segmenter.load(str(directory))
    one, other = (segmenter.encode(rgb) for rgb in (random_rgb(), random_rgb().flip(0)))
    first, second, third, fourth = (torch.cat(pair) for pair in zip(one, other, strict=True))
    together = segmenter.head((first, second, third, fourth))
    torch.testing.assert_close(together.logits[1:], segmenter.head(other).logits)


def test_it_is_frozen(directory) -> None:
    segmenter = Segmenter.load(str(directory))
    parameters = [*segmenter.backbone.parameters(), *segmenter.head.parameters()]
    assert not any(parameter.requires_grad for parameter in parameters)
    # With a drop path rate of 0.5, two passes in train mode would differ.
    for first, second in zip(
            segmenter.encode(random_rgb()), segmenter.encode(random_rgb()), strict=True):
        assert torch.equal(first, second)


def test_features_can_be_learned_from(directory) -> None:
    segmenter = Segmenter.load(str(directory))
    head = segmenter.head.requires_grad_(True)
    head(segmenter.encode(random_rgb())).logits.sum().backward()
    assert head.fuse.weight.grad is not None


def test_new_layers_come_from_the_seed_alone(directory) -> None:
    torch.manual_seed(1)
    one = Segmenter.load(str(directory), seed=7).head.state_dict()
    drawn = torch.rand(1)
    torch.manual_seed(2)
    same = Segmenter.load(str(directory), seed=7).head.state_dict()
    other = Segmenter.load(str(directory), seed=8).head.state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    changed = {name.split('.')[0] for name in one if not torch.equal(one[name], other[name])}
    assert changed == {'query_mlp', 'key_mlp', 'projection'}
    torch.manual_seed(1)
    Segmenter.load(str(directory), seed=8)
    assert torch.equal(torch.rand(1), drawn)  # the caller's random numbers are untouched


def test_classes_and_colours_come_from_the_model(directory) -> None:
    assert Segmenter.load(str(directory)).label_set.names == (
        'road', 'sky', 'tree', 'person', 'pole')
    edit(directory / 'config.json', palette=[[index, 0, 9] for index in range(5)])
    assert Segmenter.load(str(directory)).label_set.palette[3].tolist() == [3, 0, 9]


def test_empty_means_the_embedded_model(directory, monkeypatch) -> None:
    monkeypatch.setattr(segmenter_module, 'EMBEDDED_MODEL', directory)
    assert len(Segmenter.load('').label_set) == 5


@pytest.mark.parametrize('size_px', [(31, 96), (64, 31)])
def test_a_frame_too_small(directory, size_px) -> None:
    with pytest.raises(ValueError, match=f'32 px on each side, got {size_px[0]} px high'):
        Segmenter.load(str(directory)).encode(random_rgb(*size_px))


def test_the_smallest_frame(directory) -> None:
    finest = Segmenter.load(str(directory)).encode(random_rgb(32, 40))[0]
    assert finest.shape == (1, 8, 8, 10)


def test_reliability_by_hand() -> None:
    # Three pixels of two classes: undecided, 9 to 1, and so sure that the other one underflows.
    logits = torch.tensor([[[0.0, 0.0, -500.0]], [[0.0, 9.0, 500.0]]])
    logits[1, 0, 1] = torch.tensor(9.0).log()
    label, certainty = reliability(logits)
    assert label.dtype == torch.uint8 and label.tolist() == [[0, 1, 1]]
    entropy = -(0.9 * torch.tensor(0.9).log() + 0.1 * torch.tensor(0.1).log())
    expected = torch.tensor([[0.0, 1 - entropy / torch.tensor(2.0).log(), 1.0]])
    torch.testing.assert_close(certainty, expected)


def test_reliability_where_everything_is_certain() -> None:
    logits = torch.zeros(3, 2, 4)
    logits[1] = 1000.0
    label, certainty = reliability(logits)
    assert (label == 1).all() and (certainty == 1).all()


def test_the_label_is_that_of_the_logits_where_probabilities_tie() -> None:
    logits = torch.tensor([0.0, 1e-9]).view(2, 1, 1)
    assert logits.softmax(0).argmax().item() == 0
    assert reliability(logits)[0].item() == 1


def test_a_label_above_255() -> None:
    logits = torch.zeros(300, 1, 2)
    logits[299, 0, 0], logits[7, 0, 1] = 1.0, 1.0
    assert reliability(logits)[0].tolist() == [[299, 7]]


def test_upsampling_is_that_of_segformer() -> None:
    row = torch.tensor([[[[0.0, 4.0]]]])
    assert upsample(row, (1, 4)).flatten().tolist() == [0.0, 1.0, 3.0, 4.0]
    assert upsample(row, (1, 2)) is row
