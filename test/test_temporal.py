from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ditta_ros import temporal
from ditta_ros.segmenter import Decoded, Head, entropy, relative_to_largest, reliability, upsample
from ditta_ros.temporal import add_on, attend, decide, fuse


def dense_attention(query: Tensor, key: Tensor, value: Tensor, radius: int) -> Tensor:
    """The definition: all positions with all positions, then the window."""
    height, width = query.shape[-2:]
    row, column = (grid.flatten() for grid in torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij'))
    seen = ((row[:, None] - row).abs() <= radius) & ((column[:, None] - column).abs() <= radius)
    score = query.flatten(2).mT @ key.flatten(2)  # [B, h w, h w]
    weight = score.masked_fill(~seen, -torch.inf).softmax(-1)
    return (weight @ value.flatten(2).mT).mT.unflatten(2, (height, width))


def random_maps(height: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn((2, channels, height, width), generator=generator) for channels in (6, 6, 4))


@pytest.mark.parametrize(('height', 'width', 'radius'), [
    (1, 1, 5), (3, 7, 5), (8, 24, 5), (9, 25, 5), (16, 30, 2), (19, 50, 5), (10, 26, 0),
])
@pytest.mark.parametrize('tile', [(4, 16), (8, 24), (3, 1)])
def test_tiles_are_the_dense_attention(height, width, radius, tile, monkeypatch) -> None:
    monkeypatch.setattr(temporal, 'TILE_ROWS', tile[0])
    monkeypatch.setattr(temporal, 'TILE_COLUMNS', tile[1])
    query, key, value = random_maps(height, width)
    torch.testing.assert_close(
        attend(query, key, value, radius), dense_attention(query, key, value, radius))


def test_gradients_are_those_of_the_dense_attention() -> None:
    maps = random_maps(11, 27)
    direction = random_maps(11, 27, seed=1)[2]

    def gradients(function) -> tuple[Tensor, ...]:
        inputs = [each.clone().requires_grad_() for each in maps]
        return torch.autograd.grad((function(*inputs, 5) * direction).sum(), inputs)

    for tiled, dense in zip(gradients(attend), gradients(dense_attention), strict=True):
        torch.testing.assert_close(tiled, dense)


def test_the_window_is_cut_off_at_the_border_not_shifted() -> None:
    # Without scores, every position gets the mean of the values that it sees.
    value = torch.arange(20 * 30.0).view(1, 1, 20, 30)
    nothing = torch.zeros(1, 2, 20, 30)
    mean = attend(nothing, nothing, value)
    for row, column in [(0, 0), (0, 12), (19, 29), (9, 14)]:
        seen = value[0, 0, max(row - 5, 0):row + 6, max(column - 5, 0):column + 6]
        assert mean[0, 0, row, column].item() == pytest.approx(seen.mean().item(), rel=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_stays_finite_with_large_scores(dtype) -> None:
    query, key, value = (each.to(dtype) for each in random_maps(9, 26))
    out = attend(query * 30, key * 30, value)
    assert out.dtype == dtype
    exact = attend((query * 30).float(), (key * 30).float(), value.float())
    # Not so with scores in half precision: they are above 1000 here, and bfloat16 has 8 bits.
    torch.testing.assert_close(out.float(), exact, rtol=1e-2, atol=1e-2)


def test_add_on_carries_the_previous_logits_by_the_heads_own_layers() -> None:
    torch.manual_seed(0)
    head = Head((2, 3, 4, 5), dim=6, classes=3).eval()
    feature, previous = torch.randn(1, 6, 7, 9), torch.randn(1, 6, 7, 9)
    logits = torch.randn(1, 3, 7, 9)
    with torch.no_grad():
        got = add_on(head, feature, Decoded(previous, logits))
        query = head.query_mlp(feature[0].permute(1, 2, 0)).permute(2, 0, 1)[None]
        key = head.key_mlp(previous[0].permute(1, 2, 0)).permute(2, 0, 1)[None]
    torch.testing.assert_close(got, dense_attention(query, key, logits, 5))


def test_fusion_by_hand() -> None:
    # Four pixels of two classes, as the probability of class 0.
    prob, prob_add = (torch.stack([p, 1 - p])[:, None] for p in (
        torch.tensor([0.5, 0.60, 0.999, 0.90]), torch.tensor([0.5, 0.02, 0.001, 0.01])))
    r, r_add = relative_to_largest(entropy(prob)), relative_to_largest(entropy(prob_add))
    assert r[0, 0] == 0 and r_add[0, 0] == 0  # both undecided: the plain one stays
    assert r[0, 2] > 0.8  # reliable enough: no fusion
    fused = fuse(prob, prob_add, tau=0.8)[0, 0]
    assert fused[0].item() == 0.5
    assert fused[1].item() == pytest.approx(
        ((r[0, 1] * 0.60 + r_add[0, 1] * 0.02) / (r[0, 1] + r_add[0, 1])).item())
    assert fused[2].item() == prob[0, 0, 2].item()
    assert fused[1] < 0.5 and fused[3] < 0.9
    assert torch.equal(fuse(prob, prob_add, tau=0.0), prob)


def test_decide_without_predecessor_is_the_plain_segmenter() -> None:
    logits = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    label, certainty = decide(logits, None, (24, 31), 0.8)
    expected = reliability(upsample(logits, (24, 31))[0])
    assert torch.equal(label, expected[0])
    torch.testing.assert_close(certainty, expected[1])


def test_decide_fuses_at_the_size_of_the_image() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, logits_add = (torch.randn(1, 4, 6, 8, generator=generator) for _ in range(2))
    label, certainty = decide(logits, logits_add * 3, (24, 31), 0.8)
    fused = fuse(
        upsample(logits, (24, 31))[0].softmax(0), upsample(logits_add * 3, (24, 31))[0].softmax(0),
        0.8)
    assert label.dtype == torch.uint8 and label.shape == (24, 31)
    assert torch.equal(label, fused.argmax(0).to(torch.uint8))
    assert not torch.equal(label, decide(logits, None, (24, 31), 0.8)[0])
    torch.testing.assert_close(certainty, relative_to_largest(entropy(fused)))


@pytest.mark.parametrize('fused', [False, True])
def test_decide_between_more_than_255_classes(fused: bool) -> None:
    logits = torch.zeros(1, 300, 2, 3)
    logits[0, 299, 0], logits[0, 1, 1] = 9.0, 9.0
    label, _ = decide(logits, logits if fused else None, (2, 3), 1.0)
    assert label.dtype == torch.int32
    assert label.tolist() == [[299] * 3, [1] * 3]


def test_decide_where_everything_is_certain() -> None:
    # The other classes' probabilities are 0 in float32, and so are both entropies.
    logits = torch.zeros(1, 3, 2, 4)
    logits[:, 1] = 1000.0
    for logits_add in (None, logits, -logits):
        label, certainty = decide(logits, logits_add, (5, 9), 0.8)
        assert (label == 1).all() and (certainty == 1).all()


def test_decide_leaves_reliable_pixels_alone() -> None:
    # One pixel without a doubt, one undecided; the add-on is sure of another class.
    logits = torch.tensor([[9.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).view(1, 3, 1, 2)
    logits_add = torch.tensor([[0.0, 0.0], [0.0, 0.0], [6.0, 8.0]]).view(1, 3, 1, 2)
    reliable = decide(logits, None, (1, 2), 0.8)[1][0, 0]
    assert 0.98 < reliable < 1
    assert decide(logits, logits_add, (1, 2), tau=0.0)[0].tolist() == [[0, 0]]
    assert decide(logits, logits_add, (1, 2), tau=0.98)[0].tolist() == [[0, 2]]
