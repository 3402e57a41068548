"""The add-on matched to the frames: whom a position attends to."""

from __future__ import annotations

import copy

import pytest
import torch

from ditta_ros.matching import SELF_SCORE, match_features
from ditta_ros.segmenter import Decoded, Head
from ditta_ros.temporal import add_on


@pytest.fixture
def head() -> Head:
    torch.manual_seed(0)
    return Head((4, 5, 6, 7), 16, 3).eval().requires_grad_(False)


def frames(count: int) -> list[tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(1)
    return [tuple(
        torch.randn(1, width, 24 // 2 ** stage, 32 // 2 ** stage, generator=generator)
        for stage, width in enumerate((4, 5, 6, 7))) for _ in range(count)]


def test_queries_and_keys_are_white_and_score_themselves_as_wanted(head: Head) -> None:
    match_features(head, frames(3))
    features = torch.cat([head(each).feature for each in frames(3)])
    query = head.query(features).movedim(1, 0).flatten(1)  # [D, N]
    assert torch.equal(query, head.key(features).movedim(1, 0).flatten(1))
    assert query.mean(1).abs().max() < 1e-3
    assert (query ** 2).sum(0).mean() == pytest.approx(SELF_SCORE, rel=1e-3)
    scores = query.T @ query
    assert scores.fill_diagonal_(0).mean().abs() < 0.1


def test_logits_of_a_scene_that_stands_still_are_carried_in_place(head: Head) -> None:
    """Drawn layers mix 121 positions, matched ones keep most of each position's own."""
    features = frames(1)[0]
    logits = torch.zeros(1, 3, 24, 32)
    logits[0, 0, 10, 10] = 1.0  # a thin thing

    def carried(of: Head) -> float:
        feature = of(features).feature
        return float(add_on(of, feature, Decoded(feature, logits))[0, 0, 10, 10])

    drawn = copy.deepcopy(head)
    match_features(head, [features])
    assert carried(drawn) == pytest.approx(1 / 121, rel=0.5)
    # Not all of it: neighbours have most of their coarse features in common.
    assert carried(head) > 10 * carried(drawn)


def test_a_feature_that_never_varies_does_not_blow_up(head: Head) -> None:
    still = tuple(torch.zeros_like(each) for each in frames(1)[0])
    match_features(head, [still])
    assert all(value.isfinite().all() for value in head.state_dict().values())


def test_no_frame_is_refused(head: Head) -> None:
    with pytest.raises(ValueError, match='one frame at least'):
        match_features(head, [])
