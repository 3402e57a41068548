"""The figures of the cards: means by hand, and a tracker that knows the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ditta_ros.demo.train.measure import (
    RATE_HZ,
    TRACKED_FRAMES,
    TrackScores,
    score_tracks,
    track_quality,
)
from ditta_ros.demo.world import NAMES, stream
from ditta_ros.segmenter import Segmenter
from fakes import InstanceTracker


def test_means_run_over_objects_and_frames() -> None:
    parts = [TrackScores({**{name: [] for name in NAMES}, 'road': [1.0, .5], 'pole': [0.0]}, 2),
             TrackScores({**{name: [] for name in NAMES}, 'road': [.9]}, 1)]
    quality = track_quality(parts)
    assert quality.mean_j == pytest.approx(.6)
    assert quality.per_class_j == {'road': pytest.approx(.8), 'pole': 0.0}
    assert quality.objects == 3


@pytest.mark.parametrize('reverse', [False, True])
def test_a_tracker_that_knows_the_truth_has_j_1(reverse: bool) -> None:
    worlds = list(stream(3, TRACKED_FRAMES + 1, RATE_HZ))
    instance = torch.from_numpy(np.stack([world.instance for world in worlds]).astype(np.int64))
    got = score_tracks(
        Segmenter.load(''), InstanceTracker(instance), 3, reverse, False)  # type: ignore[arg-type]
    listed = [score for scores in got.scores.values() for score in scores]
    assert len(listed) > got.objects > 4
    assert set(listed) == {1.0}


def test_a_track_is_scored_against_the_object_of_its_click() -> None:
    worlds = list(stream(3, TRACKED_FRAMES + 1, RATE_HZ))
    instance = torch.from_numpy(np.stack([world.instance for world in worlds]).astype(np.int64))
    instance[5] = instance[5].roll(20, 1)  # one frame of twenty is 20 px off
    got = score_tracks(
        Segmenter.load(''), InstanceTracker(instance), 3, False, False)  # type: ignore[arg-type]
    for listed in got.scores.values():
        assert sum(score < 1 for score in listed) <= len(listed) / TRACKED_FRAMES * 2
    assert track_quality([got]).mean_j < 1
