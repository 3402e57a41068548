"""The tracker's promises on a stream; for its masks see test_tracker_against_sam2.py.

Weights are random but for the last test: bookkeeping does not need trained ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ditta_ros.cohort import Cohort
from ditta_ros.demo.world import NAMES, stream
from ditta_ros.errors import ModelError
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import Sam2Tracker, build_sam2
from tracking import (
    HEIGHT,
    TINY,
    WIDTH,
    click,
    jaccard,
    squares,
    started,
    with_image_size,
    with_score_bias,
)


@pytest.fixture
def tiny(tmp_path: Path) -> Any:
    """The embedded model's layout at half its input size."""
    torch.manual_seed(0)
    return with_score_bias(build_sam2(with_image_size(TINY, 96, tmp_path), None, 'cpu'), 10.0)


def test_objects_of_one_batch_do_not_influence_one_another(tiny: Any) -> None:
    points = [(45, 65), (220, 130), (128, 20)]
    frames = squares(5)
    together = started(tiny, buffer=2)
    alone = [started(tiny, buffer=2) for _ in points]
    for t, frame in enumerate(frames):
        masks = together.track(frame)
        for number, tracker in enumerate(alone):
            single = tracker.track(frame)
            assert t < 3 or jaccard(single[number], masks[number]) > 0.999
        if t == 2:
            here, backward = together.prompt(
                [click(number, *point) for number, point in enumerate(points)])
            before = list(backward)
            for number, point in enumerate(points):
                single, single_before = alone[number].prompt([click(number, *point)])
                assert jaccard(single[number], here[number]) > 0.999
                for one, all_objects in zip(single_before, before, strict=True):
                    assert jaccard(one[number], all_objects[number]) > 0.999


def test_a_late_object_leaves_the_others_as_they_were(tiny: Any) -> None:
    frames = squares(6)
    calm, disturbed = started(tiny, buffer=3), started(tiny, buffer=3)
    for t, frame in enumerate(frames):
        masks, expected = disturbed.track(frame), calm.track(frame)
        assert all(torch.equal(masks[number], expected[number]) for number in expected)
        if t == 0:
            calm.prompt([click(1, 45, 65)])
            disturbed.prompt([click(1, 45, 65)])
        if t == 3:
            disturbed.prompt([click(2, 210, 130)])
    assert disturbed.object_ids == (1, 2)
    assert sorted(masks) == [1, 2]


def test_backward_masks_reach_as_far_as_the_buffer(tiny: Any) -> None:
    tracker = started(tiny, buffer=3)
    frames = squares(6)
    tracker.track(frames[0])
    assert list(tracker.prompt([click(1, 45, 65)]).backward) == []
    tracker.track(frames[1])
    assert len(list(tracker.prompt([click(2, 45, 65)]).backward)) == 1
    for frame in frames[2:]:
        tracker.track(frame)
    here, backward = tracker.prompt([click(3, 45, 65), click(4, 200, 130)])
    before = list(backward)
    assert len(before) == 3  # of five earlier frames
    for masks in (here, *before):
        assert sorted(masks) == [3, 4]
        for mask in masks.values():
            assert (mask.shape, mask.dtype) == ((HEIGHT, WIDTH), torch.bool)
            assert not mask.is_inference(), 'autograd could not use the mask'
    for nothing in (tracker.prompt([]), tracker.start_from_masks({})):
        assert (nothing.here, list(nothing.backward)) == ({}, [])


def test_backward_masks_are_tracked_when_they_are_asked_for(
    tiny: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracker = started(tiny, buffer=4)
    frames = squares(8)
    for frame in frames[:4]:
        tracker.track(frame)
    steps = []
    step = Cohort.step
    monkeypatch.setattr(
        Cohort, 'step', lambda self, now: steps.append(now.t) or step(self, now))
    later = tracker.prompt([click(1, 45, 65)]).backward
    at_once = list(tracker.prompt([click(2, 45, 65)]).backward)
    assert steps == [2, 1, 0]
    # Neither frames that come in between nor a new stream change what the walk finds.
    tracked = [tracker.track(frame) for frame in frames[4:]]
    assert sorted(tracked[-1]) == [1, 2]
    tracker.stop()
    steps.clear()
    for count, (masks, expected) in enumerate(zip(later, at_once, strict=True), 1):
        assert len(steps) == count
        assert torch.equal(masks[1], expected[2])


def test_a_buffer_of_none_tracks_forward_only(tiny: Any) -> None:
    tracker = started(tiny, buffer=0)
    first, second = squares(2)
    tracker.track(first)
    tracker.track(second)
    here, backward = tracker.prompt([click(1, 45, 65)])
    assert (sorted(here), list(backward)) == ([1], [])


def test_an_absent_object_is_empty_and_its_cohort_retires(tiny: Any) -> None:
    frames = squares(8)
    tracker = started(tiny, buffer=7, retire=3)
    for frame in frames[:4]:
        tracker.track(frame)
    seen = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    seen[40:90, 30:80] = True
    with_score_bias(tiny, -10.0)
    here, backward = tracker.start_from_masks({1: seen})
    assert jaccard(here[1], seen) > 0.9, 'a given mask is believed whatever the score'
    before = list(backward)
    assert len(before) == 3
    assert not any(masks[1].any() for masks in before)
    for frame in frames[4:7]:  # absent for 1, 2, 3 frames
        assert tracker.object_ids == (1,)
        assert not tracker.track(frame)[1].any()
    assert tracker.object_ids == ()
    assert tracker.track(frames[7]) == {}
    # Never seen at all, from the prompt frame on: the walk back ends after 3 frames too.
    here, backward = tracker.prompt([click(2, 45, 65)])
    assert not here[2].any()
    assert len(list(backward)) == 2


def test_memory_is_flat_on_a_long_stream(tiny: Any) -> None:
    tracker = started(tiny, buffer=6)
    frames = squares(20)
    held_mb = []
    for t in range(120):
        tracker.track(frames[t % len(frames)])
        if t in (0, 9):
            tracker.prompt([click(t + 1, 45, 65), click(t + 2, 200, 130)])
        held_mb.append(tracker.memory_mb)
    assert len(tracker.object_ids) == 4, 'no object may retire here'
    assert 0 < held_mb[0] < held_mb[9] < held_mb[39]
    assert set(held_mb[39:]) == {held_mb[39]}
    # Image features: 7 frames x (16 x 24 x 24 + 32 x 12 x 12 + 128 x 6 x 6) floats.
    # Memories: 4 objects x (1 prompt + 2 recent) x 32 x 6 x 6, their positions once per cohort.
    # Pointers: 4 objects x (1 prompt + 15 recent) x 128.
    floats = 7 * (9216 + 4608 + 4608) + (4 * 3 + 2) * 1152 + 4 * 16 * 128
    assert held_mb[39] == pytest.approx(floats * 4 / 1e6)
    assert 0.6 * tracker.memory_bound_mb(4) < held_mb[39] < tracker.memory_bound_mb(4)


def test_start_and_stop_forget_everything(tiny: Any) -> None:
    frames = squares(3)
    tracker = started(tiny, buffer=4)
    tracker.track(frames[0])
    first, _ = tracker.prompt([click(1, 45, 65)])
    second = tracker.track(frames[1])
    tracker.start((HEIGHT, WIDTH))
    assert (tracker.object_ids, tracker.memory_mb) == ((), 0)
    tracker.track(frames[0])
    again, backward = tracker.prompt([click(1, 45, 65)])
    assert list(backward) == []
    assert torch.equal(again[1], first[1])
    assert torch.equal(tracker.track(frames[1])[1], second[1])
    tracker.stop()
    assert (tracker.object_ids, tracker.memory_mb) == ((), 0)
    with pytest.raises(ValueError, match='call start'):
        tracker.track(frames[2])


def test_wrong_use_is_refused_by_rule(tiny: Any) -> None:
    tracker = started(tiny)
    with pytest.raises(ValueError, match='call track'):
        tracker.prompt([click(1, 45, 65)])
    with pytest.raises(ValueError, match=r'\[192, 256, 3\].*\[256, 192, 3\]'):
        tracker.track(torch.zeros(WIDTH, HEIGHT, 3, dtype=torch.uint8))
    tracker.track(squares(1)[0])
    with pytest.raises(ValueError, match='frame of 256 x 192 px'):
        tracker.prompt([click(1, 10, 192)])
    with pytest.raises(ValueError, match='id of its own'):
        tracker.prompt([click(1, 10, 10), click(1, 20, 20)])
    with pytest.raises(ValueError, match='bool'):
        tracker.start_from_masks({1: torch.zeros(HEIGHT, WIDTH)})
    assert tracker.object_ids == ()
    tracker.prompt([click(1, 10, 10)])
    with pytest.raises(ValueError, match='id of its own'):
        tracker.prompt([click(1, 20, 20)])


def test_the_tracker_loads_what_its_parameters_name(
    tiny: Any, tmp_path: Path,
) -> None:
    torch.save({'model': tiny.state_dict()}, tmp_path / 'tiny.pt')
    config = str(tmp_path / 'model_96.yaml')
    settings = TrackerSettings(
        config=config, checkpoint=str(tmp_path / 'tiny.pt'), backward_buffer_frames=1,
        buffer_dtype='float16')
    frames = squares(3)
    loaded, expected = Sam2Tracker.load(settings, 'cpu'), started(tiny, buffer=1)
    loaded.start((HEIGHT, WIDTH))
    for frame in frames:
        loaded.track(frame)
        expected.track(frame)
    assert loaded.memory_mb == pytest.approx(expected.memory_mb * (1 + 1 / 2) / 2)
    here, backward = loaded.prompt([click(1, 45, 65)])
    assert torch.equal(here[1], expected.prompt([click(1, 45, 65)]).here[1])
    assert len(list(backward)) == 1
    with pytest.raises(ModelError, match='tracker.config and tracker.checkpoint'):
        Sam2Tracker.load(TrackerSettings(config=config), 'cpu')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_tracks_as_the_cpu_does(tiny: Any) -> None:
    frames = squares(6)
    masks = {}
    for device in ('cpu', 'cuda'):
        tracker = started(tiny.to(device), buffer=4)
        for frame in frames[:4]:
            tracker.track(frame)
        before = list(tracker.prompt([click(1, 45, 65)]).backward)
        tracked = [tracker.track(frame.to(device)) for frame in frames[4:]]
        masks[device] = [frame_masks[1].cpu() for frame_masks in (*before, *tracked)]
    assert min(map(jaccard, masks['cpu'], masks['cuda'])) > 0.98


def test_the_embedded_model_follows_the_road() -> None:
    frames = list(stream(2000, 8))
    road = [torch.from_numpy(frame.semantic == NAMES.index('road')) for frame in frames]
    tracker = Sam2Tracker.load(TrackerSettings(backward_buffer_frames=3), 'cpu')
    tracker.start((HEIGHT, WIDTH))
    for frame in frames[:4]:
        tracker.track(torch.from_numpy(frame.rgb))
    here, backward = tracker.start_from_masks({1: road[3]})
    masks = [here[1], *(earlier[1] for earlier in backward)]
    masks += [tracker.track(torch.from_numpy(frame.rgb))[1] for frame in frames[4:]]
    for mask, truth in zip(masks, [*road[3::-1], *road[4:]], strict=True):
        assert jaccard(mask, truth) > 0.6
