from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.labels import LabelSet, default_palette
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Features, Head, entropy, relative_to_largest, reliability, upsample
from ditta_ros.temporal import add_on, fuse
from test_folded import in_float, random_features, random_head

SIZE_PX = (60, 88)
TAU = 0.6


@pytest.fixture
def head() -> Head:
    """A head whose labels differ from pixel to pixel and whose reliabilities span 0 to 1."""
    head = random_head(0).float()
    head.classifier.weight.mul_(8)
    return head


@pytest.fixture
def frames() -> list[Features]:
    return [in_float(random_features(seed)) for seed in range(3)]


def assert_same(got, expected) -> None:
    """Labels agree on more than 99.9 % of the pixels, reliabilities up to rounding."""
    assert got[0].dtype == torch.uint8 and got[1].dtype == torch.float32
    assert (got[0] == expected[0]).double().mean() > 0.999
    torch.testing.assert_close(got[1], expected[1], rtol=0, atol=1e-3)


def plain(head: Head, features: Features) -> tuple[torch.Tensor, torch.Tensor]:
    return reliability(upsample(head(features).logits, SIZE_PX)[0])


def fused(head: Head, before: Features, now: Features) -> tuple[torch.Tensor, torch.Tensor]:
    """The method as it is written, Eq. 1-3, all probabilities of the frame at once."""
    decoded = head(now)
    carried = add_on(head, decoded.feature, head(before))
    prob, prob_add = (
        upsample(maps, SIZE_PX)[0].softmax(0) for maps in (decoded.logits, carried))
    both = fuse(prob, prob_add, TAU)
    return both.argmax(0).to(torch.uint8), relative_to_largest(entropy(both))


def test_the_iss_labels_every_frame_by_itself(head, frames) -> None:
    labeller = IssLabeller(head)
    for features in [*frames, frames[0]]:
        assert_same(labeller.label(features, SIZE_PX, TAU), plain(head, features))


def test_each_frame_is_fused_with_the_one_before(head, frames) -> None:
    labeller = TemporalLabeller(head)
    assert_same(labeller.label(frames[0], SIZE_PX, TAU), plain(head, frames[0]))
    for before, now in itertools.pairwise(frames):
        expected = fused(head, before, now)
        assert (expected[0] != plain(head, now)[0]).double().mean() > 0.01
        assert_same(labeller.label(now, SIZE_PX, TAU), expected)


def test_what_is_forgotten_is_not_fused(head, frames) -> None:
    labeller = TemporalLabeller(head)
    labeller.label(frames[0], SIZE_PX, TAU)
    labeller.forget()
    assert_same(labeller.label(frames[1], SIZE_PX, TAU), plain(head, frames[1]))


@pytest.mark.parametrize('kind', [IssLabeller, TemporalLabeller])
def test_a_labeller_keeps_the_head_that_it_was_given(head, frames, kind) -> None:
    labeller = kind(head)
    before = plain(head, frames[0])
    head.classifier.weight.zero_()
    assert_same(labeller.label(frames[0], SIZE_PX, TAU), before)


@pytest.fixture
def mapping(head) -> ClassMapping:
    """Every third class of the head dropped, the others in pairs; the last target is empty."""
    classes = head.classifier.out_channels
    kept = [index for index in range(classes) if index % 3]
    targets = (len(kept) + 1) // 2 + 1
    target_of = torch.full((classes,), targets)
    target_of[kept] = torch.arange(len(kept)) // 2
    evaluated = np.arange(targets) < targets - 1
    names = tuple(f't{index}' for index in range(targets))
    return ClassMapping(
        LabelSet(names, default_palette(targets)), target_of, evaluated,
        np.arange(256, dtype=np.uint8))


def merged(mapping: ClassMapping, maps: torch.Tensor) -> torch.Tensor:
    """Return [1, C, h, w] as [1, C', h, w] of the targets that are evaluated."""
    return torch.stack([
        maps[:, mapping.target_of == target].amax(1)
        for target in np.flatnonzero(mapping.evaluated)], 1)


def test_with_a_mapping_all_is_of_the_target_classes(head, frames, mapping) -> None:
    iss, adapted = IssLabeller(head, mapping), TemporalLabeller(head, mapping)
    plainly = [reliability(upsample(merged(mapping, head(each).logits), SIZE_PX)[0])
               for each in frames]
    assert not torch.equal(plainly[0][0], plain(head, frames[0])[0])
    for features, expected in zip(frames, plainly, strict=True):
        assert_same(iss.label(features, SIZE_PX, TAU), expected)
    assert_same(adapted.label(frames[0], SIZE_PX, TAU), plainly[0])
    for (before, now), alone in zip(itertools.pairwise(frames), plainly[1:], strict=True):
        decoded = head(now)
        carried = add_on(head, decoded.feature, head(before))
        prob, prob_add = (upsample(merged(mapping, maps), SIZE_PX)[0].softmax(0)
                          for maps in (decoded.logits, carried))
        both = fuse(prob, prob_add, TAU)
        expected = both.argmax(0).to(torch.uint8), relative_to_largest(entropy(both))
        assert (expected[0] != alone[0]).double().mean() > 0.001
        assert_same(adapted.label(now, SIZE_PX, TAU), expected)
