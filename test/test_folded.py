from __future__ import annotations

import copy

import pytest
import torch

from ditta_ros.folded import FoldedHead
from ditta_ros.segmenter import Decoded, Features, Head, reliability, upsample
from ditta_ros.temporal import add_on, attend_frame

WIDTHS, DIM, CLASSES = (8, 12, 20, 16), 24, 7
GRIDS = ((15, 22), (8, 11), (4, 6), (2, 3))  # of a frame of 60 x 88 px


def random_head(seed: int) -> Head:
    """A head in float64 whose batch norm is not the identity and whose attention is selective."""
    torch.manual_seed(seed)
    head = Head(WIDTHS, DIM, CLASSES).double().eval()
    norm = head.batch_norm
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        torch.nn.init.uniform_(values, 0.5, 1.5)
    head.requires_grad_(False)
    for layers in (head.query_mlp, head.key_mlp):
        layers[2].weight.mul_(6)
    return head


def random_features(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    first, second, third, fourth = (
        torch.randn((1, width, *grid), generator=generator, dtype=torch.float64)
        for width, grid in zip(WIDTHS, GRIDS, strict=True))
    return first, second, third, fourth


def in_float(features: Features) -> Features:
    first, second, third, fourth = (stage.float() for stage in features)
    return first, second, third, fourth


def folded_pair(folded: FoldedHead, before: Features, now: Features) -> tuple[torch.Tensor, ...]:
    """Logits of the second of two frames and those carried to it, [C, h, w]."""
    past, feature = folded.feature(before), folded.feature(now)
    carried = attend_frame(folded.query(feature), folded.key(past), folded.logits(past))
    return folded.logits(feature).movedim(-1, 0), carried.movedim(-1, 0)


def exact_pair(head: Head, before: Features, now: Features) -> tuple[torch.Tensor, ...]:
    past, decoded = head(before), head(now)
    return decoded.logits[0], add_on(head, decoded.feature, past)[0]


@pytest.mark.parametrize('seed', range(3))
def test_in_float64_it_is_the_head_and_its_add_on(seed) -> None:
    head, features = random_head(seed), random_features(seed)
    folded = FoldedHead.fold(head)
    torch.testing.assert_close(
        folded.feature(features).movedim(-1, 0)[None], head(features).feature,
        rtol=1e-12, atol=1e-12)
    for got, expected in zip(
            folded_pair(folded, features, random_features(9)),
            exact_pair(head, features, random_features(9)), strict=True):
        assert expected.std() > 0.05
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('seed', range(3))
def test_in_float32_labels_agree(seed) -> None:
    head, before, now = random_head(seed), random_features(seed), random_features(9)
    expected = exact_pair(head.float(), in_float(before), in_float(now))
    got = folded_pair(FoldedHead.fold(head), in_float(before), in_float(now))
    for ours, exact in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, exact, rtol=0, atol=1e-3)
        labels = [reliability(upsample(maps[None], (60, 88))[0])[0] for maps in (ours, exact)]
        assert (labels[0] == labels[1]).double().mean() > 0.999


def test_attention_follows_the_scores() -> None:
    # Otherwise the tests above could not tell a wrong query or key.
    head = random_head(0)
    decoded = head(random_features(0))
    other = copy.deepcopy(head)
    other.key_mlp[2].weight.mul_(-1)
    past = Decoded(decoded.feature.flip(2), decoded.logits.flip(2))
    carried = [add_on(each, decoded.feature, past) for each in (head, other)]
    assert (carried[0] - carried[1]).abs().max() > 0.01


def test_it_is_a_copy_in_the_heads_dtype() -> None:
    head, features = random_head(0).float(), in_float(random_features(0))
    folded = FoldedHead.fold(head)
    before = folded.logits(folded.feature(features))
    for parameter in head.parameters():
        parameter.zero_()
    after = folded.logits(folded.feature(features))
    assert after.dtype == torch.float32
    assert torch.equal(before, after)


def test_half_precision() -> None:
    head, features = random_head(0), random_features(0)
    exact = FoldedHead.fold(head)
    half = FoldedHead.fold(head.bfloat16())
    feature = half.feature(in_float(features))  # taken as the head's dtype
    assert feature.dtype == torch.bfloat16
    torch.testing.assert_close(
        half.logits(feature).double(), exact.logits(exact.feature(features)), rtol=0, atol=0.05)
