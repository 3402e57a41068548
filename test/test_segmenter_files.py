"""What a SegFormer's files say, and those that do not hold one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    SegformerConfig,
    SegformerForImageClassification,
    SegformerForSemanticSegmentation,
    SegformerImageProcessor,
)

from ditta_ros.errors import ModelError
from ditta_ros.segmenter import Segmenter, resized
from ditta_ros.settings import SegmenterSettings
from local_hub import fetch_models, serve
from small_segformer import CONFIG, edit, normalised, random_network, random_rgb


@pytest.fixture
def network() -> SegformerForSemanticSegmentation:
    return random_network()


@pytest.fixture
def directory(network: SegformerForSemanticSegmentation, tmp_path: Path) -> Path:
    network.save_pretrained(tmp_path / 'model')
    return tmp_path / 'model'


@pytest.mark.parametrize(('size', 'expected_px'), [
    ({'height': 64, 'width': 128}, (64, 128)),
    ({'shortest_edge': 40}, (40, 60)),
    (48, (48, 48)),
])
def test_frames_are_resized_as_the_models_processor_does(
    network, directory, size, expected_px,
) -> None:
    processor = SegformerImageProcessor(size=size)
    processor.save_pretrained(directory)
    edit(directory / 'preprocessor_config.json', size=size)  # as old files have it, too
    rgb = random_rgb()
    pixels = processor(rgb.permute(2, 0, 1), return_tensors='pt').pixel_values
    assert pixels.shape[2:] == expected_px
    with torch.no_grad():
        expected = network(pixels).logits
        segmenter = Segmenter.open(SegmenterSettings(model=str(directory), input_size='model'))
        # transformers rounds to 8 bit between the columns and the rows, too: one level at most.
        image = resized(rgb.permute(2, 0, 1).float(), expected_px) / 255
        levels = ((image - segmenter.mean) / segmenter.std - pixels[0]) * segmenter.std * 255
        assert levels.abs().max() < 1.01 and levels.abs().mean() < 0.3
        got = segmenter.head(segmenter.encode(rgb)).logits
        torch.testing.assert_close(got, expected, rtol=0, atol=expected.std().item() / 50)
        # By itself the camera's size decides.
        alone = Segmenter.load(str(directory))
        assert alone.encode(rgb)[0].shape[2:] == (16, 24)


def test_a_processor_that_does_not_resize(directory) -> None:
    edit(directory / 'preprocessor_config.json', do_resize=False, size={'longest_edge': 9})
    segmenter = Segmenter.open(SegmenterSettings(model=str(directory), input_size='model'))
    assert segmenter.encode(random_rgb())[0].shape[2:] == (16, 24)


@pytest.mark.parametrize('values', [
    {'size': {'longest_edge': 512}}, {'size': [512, 512]}, {'size': {'shortest_edge': 8}},
    {'size': {'height': 64.0, 'width': 64}}, {'resample': 3},
])
def test_a_size_that_is_not_known(directory, values) -> None:
    edit(directory / 'preprocessor_config.json', **values)
    assert Segmenter.load(str(directory)).model_size is None
    with pytest.raises(ModelError, match="set segmenter.input_size to 'camera'") as raised:
        Segmenter.open(SegmenterSettings(model=str(directory), input_size='model'))
    assert '\n' not in str(raised.value)


def test_rescaling_that_is_not_to_0_to_1(network, directory) -> None:
    rgb = random_rgb()
    with torch.no_grad():
        expected = network(
            ((rgb.float() - 120.0) / 60.0).permute(2, 0, 1)[None]).logits
        edit(directory / 'preprocessor_config.json', do_rescale=False, image_mean=[120.0] * 3,
             image_std=[60.0] * 3)
        segmenter = Segmenter.load(str(directory))
        torch.testing.assert_close(
            segmenter.head(segmenter.encode(rgb)).logits, expected, rtol=1e-4, atol=1e-5)


def test_the_models_own_normalisation_is_honoured(network, directory) -> None:
    edit(directory / 'preprocessor_config.json', image_mean=[0.1, 0.2, 0.3],
         image_std=[0.5, 0.6, 0.7])
    rgb = random_rgb()
    with torch.no_grad():
        expected = network(normalised(rgb, [0.1, 0.2, 0.3], [0.5, 0.6, 0.7])).logits
        segmenter = Segmenter.load(str(directory))
        torch.testing.assert_close(segmenter.head(segmenter.encode(rgb)).logits, expected)


def test_a_model_that_wants_no_normalisation(network, directory) -> None:
    edit(directory / 'preprocessor_config.json', do_normalize=False, image_mean=[0.1, 0.2, 0.3])
    rgb = random_rgb()
    with torch.no_grad():
        expected = network(normalised(rgb, [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])).logits
        segmenter = Segmenter.load(str(directory))
        torch.testing.assert_close(segmenter.head(segmenter.encode(rgb)).logits, expected)


def test_a_pickle_of_tensors_is_read(network, directory) -> None:
    (directory / 'model.safetensors').unlink()
    torch.save(network.state_dict(), directory / 'pytorch_model.bin')
    head = Segmenter.load(str(directory)).head
    assert torch.equal(head.fuse.weight, network.decode_head.linear_fuse.weight)


class Call:
    """A pickle of this makes the folder when it is read carelessly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return Path.mkdir, (self.folder,)


def test_a_pickle_runs_no_code(directory, tmp_path) -> None:
    (directory / 'model.safetensors').unlink()
    torch.save({'weight': Call(tmp_path / 'called')}, directory / 'pytorch_model.bin')
    with pytest.raises(ModelError, match='cannot be loaded') as raised:
        Segmenter.load(str(directory))
    assert '\n' not in str(raised.value)
    assert not (tmp_path / 'called').exists()


def test_code_in_a_directory_is_not_run(directory, tmp_path) -> None:
    edit(directory / 'config.json', auto_map={
        'AutoConfig': 'evil.Config', 'AutoModelForSemanticSegmentation': 'evil.Model'})
    (directory / 'evil.py').write_text(
        f'from pathlib import Path\nPath({str(tmp_path / "called")!r}).mkdir()\n')
    Segmenter.load(str(directory))
    assert not (tmp_path / 'called').exists()


def test_a_model_of_the_hub(network, directory, tmp_path) -> None:
    cache = tmp_path / 'cache'
    settings = SegmenterSettings(model='nvidia/segformer-b0', cache_dir=str(cache))
    command = f'`ros2 run ditta_ros fetch_models --cache-dir {cache} nvidia/segformer-b0`'
    with pytest.raises(ModelError, match='segmenter.model .nvidia/segformer-b0.') as raised:
        Segmenter.open(settings)
    assert command in str(raised.value) and '\n' not in str(raised.value)
    edit(directory / 'preprocessor_config.json', image_mean=[0.1, 0.2, 0.3])
    with serve() as hub:
        hub.add(settings.model, directory, 'config.json', 'preprocessor_config.json',
                'model.safetensors')
        done = fetch_models(hub, tmp_path, '--cache-dir', str(cache), settings.model)
        assert done.returncode == 0, done.stderr
    segmenter = Segmenter.open(settings)  # the hub is gone
    assert segmenter.label_set.names == ('road', 'sky', 'tree', 'person', 'pole')
    assert segmenter.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert torch.equal(segmenter.head.fuse.weight, network.decode_head.linear_fuse.weight)


def test_an_add_on_must_fit(directory) -> None:
    whole = {name: value + 1 for name, value in
             Segmenter.load(str(directory)).head.learned_layers().items()}
    query = {name: value for name, value in whole.items() if name.startswith('query_mlp.')}
    save_file(query, directory / 'add_on.safetensors')
    head = Segmenter.load(str(directory)).head.state_dict()
    assert all(torch.equal(head[name], value) for name, value in query.items())
    assert not torch.equal(head['key_mlp.0.weight'], whole['key_mlp.0.weight'])
    for state, wrong in (
            ({'query_mlp.0.bias': whole['query_mlp.0.bias']}, 'query_mlp.0.weight not at all'),
            (query | {'query_mlp.0.bias': torch.ones(9)}, r'query_mlp.0.bias \[9\] for \[16\]'),
            (query | {'fuse.weight': torch.ones(9)}, r'fuse.weight \[9\] for nothing')):
        save_file(state, directory / 'add_on.safetensors')
        with pytest.raises(ModelError, match=wrong) as raised:
            Segmenter.load(str(directory))
        assert 'segmenter.model' in str(raised.value) and '\n' not in str(raised.value)
    (directory / 'add_on.safetensors').write_bytes(b'no header')
    with pytest.raises(ModelError, match='cannot be read'):
        Segmenter.load(str(directory))


def remove_config(directory: Path) -> None:
    (directory / 'config.json').unlink()


def remove_weights(directory: Path) -> None:
    (directory / 'model.safetensors').unlink()


def break_weights(directory: Path) -> None:
    (directory / 'model.safetensors').write_bytes(b'no header')


def write_text_as_pickle(directory: Path) -> None:
    (directory / 'model.safetensors').unlink()
    (directory / 'pytorch_model.bin').write_bytes(b'text')


def widen_decoder(directory: Path) -> None:
    edit(directory / 'config.json', decoder_hidden_size=20)


def rename_type(directory: Path) -> None:
    edit(directory / 'config.json', model_type='bert')


def misspell_widths(directory: Path) -> None:
    edit(directory / 'config.json', hidden_sizes='wide')


def classify_images(directory: Path) -> None:
    SegformerForImageClassification(CONFIG).save_pretrained(directory)


def drop_a_stage(directory: Path) -> None:
    three = SegformerConfig(**CONFIG.to_dict() | {'num_encoder_blocks': 3})
    SegformerForSemanticSegmentation(three).save_pretrained(directory)


def flatten_mean(directory: Path) -> None:
    edit(directory / 'preprocessor_config.json', image_mean=0.5)


def break_preprocessor(directory: Path) -> None:
    (directory / 'preprocessor_config.json').write_text('{"image_mean": [')


@pytest.mark.parametrize(('damage', 'message'), [
    (remove_config, 'no readable config.json'),
    (remove_weights, 'cannot be loaded'),
    (break_weights, 'cannot be loaded'),
    (write_text_as_pickle, 'cannot be loaded'),
    (widen_decoder, 'cannot be loaded'),
    (rename_type, "must be a SegFormer, got model_type 'bert'"),
    (misspell_widths, 'cannot be loaded'),
    (classify_images, 'lacks 16 weights, decode_head'),
    (drop_a_stage, 'must have four stages'),
    (flatten_mean, 'must be three numbers each'),
    (break_preprocessor, 'no readable preprocessor_config.json'),
])
def test_a_directory_that_does_not_hold_a_segmenter(directory, damage, message) -> None:
    damage(directory)
    with pytest.raises(ModelError, match=message) as raised:
        Segmenter.load(str(directory))
    assert 'segmenter.model' in str(raised.value) and '\n' not in str(raised.value)
