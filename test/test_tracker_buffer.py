"""The backward buffer of SAM 2 may change its length, and its weights have a name."""

from __future__ import annotations

import pytest
import torch

from ditta_ros.memory_budget import tracker_mb
from ditta_ros.settings import Settings, TrackerSettings
from ditta_ros.tracker import Sam2Tracker, build_sam2
from ditta_ros.warm_up import KeepsPast
from tracking import HEIGHT, TINY, WIDTH, click, squares, started, with_score_bias


@pytest.fixture(scope='module')
def tracker() -> Sam2Tracker:
    torch.manual_seed(0)
    return started(with_score_bias(build_sam2(TINY, None, 'cpu'), 10.0), buffer=4)


def reach(tracker: Sam2Tracker, object_id: int) -> int:
    """How many frames a new object is tracked back."""
    return len(list(tracker.prompt([click(object_id, 50, 60)]).backward))


def test_a_shorter_buffer_drops_the_oldest_frames_and_a_longer_one_fills_again(
    tracker: Sam2Tracker,
) -> None:
    tracker.start((HEIGHT, WIDTH))
    frames = iter(squares(12))
    for _ in range(5):
        tracker.track(next(frames))
    assert reach(tracker, 1) == 4
    before_mb = tracker.memory_mb
    tracker.keep_past(1)
    assert tracker.memory_mb < before_mb
    assert reach(tracker, 2) == 1
    tracker.track(next(frames))
    assert reach(tracker, 3) == 1
    tracker.keep_past(3)
    for _ in range(3):
        tracker.track(next(frames))
    assert reach(tracker, 4) == 3


def test_a_budget_sets_the_buffer(tracker: Sam2Tracker) -> None:
    assert isinstance(tracker, KeepsPast)
    parts_mb = [tracker_mb(tracker, Settings(tracker=TrackerSettings(
        backward_buffer_frames=past, max_objects=3))) for past in (0, 1, 2)]
    assert parts_mb[2] - parts_mb[1] == pytest.approx(parts_mb[1] - parts_mb[0])
    assert parts_mb[0] > 0


def test_the_weights_have_a_name(tracker: Sam2Tracker) -> None:
    name = tracker.sha256()
    assert len(name) == 64
    torch.manual_seed(1)
    assert started(build_sam2(TINY, None, 'cpu')).sha256() != name
