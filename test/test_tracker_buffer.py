"""The backward buffer of SAM 2: its precision, place and length; and its weights have a name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ditta_ros.memory_budget import tracker_mb
from ditta_ros.settings import Settings, TrackerSettings
from ditta_ros.tracker import Sam2Tracker, build_sam2
from ditta_ros.warm_up import KeepsPast
from tracking import HEIGHT, TINY, WIDTH, click, jaccard, squares, started, with_score_bias


@pytest.fixture(scope='module')
def model() -> Any:
    torch.manual_seed(0)
    return with_score_bias(build_sam2(TINY, None, 'cpu'), 10.0)


@pytest.fixture(scope='module')
def tracker(model: Any) -> Sam2Tracker:
    return started(model, buffer=4)


def reach(tracker: Sam2Tracker, object_id: int) -> int:
    """How many frames a new object is tracked back."""
    return len(list(tracker.prompt([click(object_id, 50, 60)]).backward))


def test_a_buffer_in_half_precision_is_half_as_large(model: Any) -> None:
    exact = started(model, buffer=4)
    half = Sam2Tracker(model, 4, buffer_device='cpu', buffer_dtype=torch.float16)
    half.start((HEIGHT, WIDTH))
    for frame in squares(6):
        for tracker in (exact, half):
            tracker.track(frame)
    # Four past frames, and the current one in full.
    assert half.memory_mb == pytest.approx(exact.memory_mb * (4 * 0.5 + 1) / 5)
    assert half.memory_bound_mb(0) == pytest.approx(half.memory_mb)
    (here, before), (expected, expected_before) = (
        tracker.prompt([click(1, 45, 65)]) for tracker in (half, exact))
    assert torch.equal(here[1], expected[1])
    for masks, exact_masks in zip(before, expected_before, strict=True):
        assert masks[1].any()
        assert jaccard(masks[1], exact_masks[1]) > 0.99


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_buffer_in_cpu_memory_changes_nothing() -> None:
    torch.manual_seed(0)
    model = with_score_bias(build_sam2(TINY, None, 'cpu'), 10.0).to('cuda')
    found = []
    for buffer_device in (None, 'cpu'):
        tracker = Sam2Tracker(model, 4, buffer_device=buffer_device)
        tracker.start((HEIGHT, WIDTH))
        held_mb = []
        for frame in squares(5):
            tracker.track(frame)
            held_mb.append(torch.cuda.memory_allocated() / 1e6)
        assert (held_mb[-1] > held_mb[-2] + 0.01) == (buffer_device is None)
        found.append([masks[1] for masks in tracker.prompt([click(1, 45, 65)]).backward])
        tracker.stop()
    assert all(map(torch.equal, *found))


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
