"""What is asked less of to fit a budget, in order and by hand."""

from __future__ import annotations

import dataclasses
import logging

import pytest
import torch

from ditta_ros.course import going_on
from ditta_ros.lessons import Progress
from ditta_ros.memory import WarmUpMemory, head_mb
from ditta_ros.memory_budget import check_budget, fitted, plan_warm_up, smaller
from ditta_ros.segmenter import Features, Head, Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import (
    AdaptationSettings,
    SettingError,
    Settings,
    TrackerSettings,
    WarmUpSettings,
)
from fakes import InstanceTracker
from random_models import save_random_segformer
from sessions import FRAMES, SIZE_PX, finish, stream

HEAD = Head((4, 6, 8, 10), 12, 5)


def settings(budget_mb: float, amount: float = 10.0, unit: str = 'frames') -> Settings:
    return Settings(
        warm_up=WarmUpSettings(unit=unit, amount=amount), memory_budget_mb=budget_mb,
        tracker=TrackerSettings(max_objects=4, backward_buffer_frames=8))


def cost(tried: Settings, frames: int) -> WarmUpMemory:
    """4 MB a frame in float32, 1 beside; 3 MB a past frame, 5 an object; a step of 2 MB."""
    each = {'float32': 4, 'float16': 2}[tried.adaptation.features_dtype]
    tracker = 3 * tried.tracker.backward_buffer_frames + 5 * tried.tracker.max_objects
    return WarmUpMemory(frames, frames * each, frames, tracker, 2.0, False)


@pytest.mark.parametrize(('budget_mb', 'dtype', 'past', 'objects', 'frames', 'total_mb'), [
    (94, 'float32', 8, 4, 10, 94),
    (93.9, 'float16', 8, 4, 10, 74),
    (73, 'float16', 4, 4, 10, 62),
    (60, 'float16', 2, 4, 10, 56),
    (50, 'float16', 0, 4, 10, 50),
    (49, 'float16', 0, 2, 10, 40),
    (35, 'float16', 0, 1, 10, 35),
    # 5 MB of tracking, and 3 MB for each of 9 frames.
    (34.9, 'float16', 0, 1, 9, 32),
    (11, 'float16', 0, 1, 2, 11),
])
def test_precision_then_buffer_then_objects_then_frames(
    budget_mb: float, dtype: str, past: int, objects: int, frames: int, total_mb: float,
) -> None:
    plan = fitted(settings(budget_mb), cost, shortens=True)
    assert plan.settings.adaptation.features_dtype == dtype
    assert plan.settings.tracker.backward_buffer_frames == past
    assert plan.settings.tracker.max_objects == objects
    assert plan.most_frames == frames
    assert plan.memory.total_mb == total_mb


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(SettingError, match=r'memory_budget_mb must be >= 11 MB .* got 10\.9: '):
        fitted(settings(10.9), cost, shortens=True)


def test_without_a_budget_all_is_as_the_settings_say() -> None:
    wanted = settings(0.0)
    assert fitted(wanted, cost, shortens=True)[:2] == (wanted, None)
    wanted = settings(0.0, 3.0, 'seconds')
    assert fitted(wanted, cost, shortens=True) == (wanted, None, None)


def test_a_warm_up_in_seconds_has_the_frames_of_a_fast_camera() -> None:
    # 2 s at 30 Hz in half precision: 60 frames of 3 MB and 44 MB of tracking.
    plan = fitted(settings(224.0, 2.0, 'seconds'), cost, shortens=True)
    assert (plan.most_frames, plan.memory.total_mb) == (60, 224)


def test_a_buffer_that_cannot_be_shorter_stays() -> None:
    found = list(smaller(settings(1.0), shortens=False))
    assert {each.tracker.backward_buffer_frames for each in found} == {8}
    assert [each.tracker.max_objects for each in found] == [4, 4, 2, 1]


class CountingTracker(InstanceTracker):
    """Takes 1 MB for each past frame that it keeps, and for each object."""

    def __init__(self) -> None:
        super().__init__(torch.ones((FRAMES, *SIZE_PX), dtype=torch.int64))
        self.past = 8

    def keep_past(self, frames: int) -> None:
        self.past = frames

    def memory_bound_mb(self, objects: int) -> float:
        return float(self.past + objects)


def features() -> Features:
    first, second, third, fourth = (
        torch.zeros((1, width, 12 >> stage, 16 >> stage))
        for stage, width in enumerate((4, 6, 8, 10)))
    return first, second, third, fourth


def test_the_tracker_is_left_with_the_buffer_that_fits(caplog: pytest.LogCaptureFixture) -> None:
    tracker, wanted = CountingTracker(), settings(8.5)
    plan = plan_warm_up(wanted, HEAD, features(), SIZE_PX, tracker)
    assert plan.memory.tracker_mb == 8.0  # 4 past frames and 4 objects
    assert tracker.past == plan.settings.tracker.backward_buffer_frames == 4
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith(
        'to fit memory_budget_mb 8.5: features in float16 (not float32), buffer frames 4 (not 8)')
    with caplog.at_level(logging.INFO):
        plan_warm_up(settings(100.0), HEAD, features(), SIZE_PX, tracker)
    assert tracker.past == 8
    assert 'to fit' not in caplog.messages[1]


def test_a_budget_that_no_camera_could_meet_is_refused_before_the_first_frame() -> None:
    tracker = CountingTracker()
    check_budget(settings(1.5), HEAD, tracker)  # no past frame and one object: 1 MB
    assert tracker.past == 8
    check_budget(settings(0.0), HEAD, tracker)
    with pytest.raises(SettingError, match=r'must be >= 1 MB for these models.* got 0\.5: raise'):
        check_budget(settings(0.5), HEAD, tracker)


def test_learning_holds_ten_times_the_head() -> None:
    weights = sum(parameter.numel() for parameter in HEAD.parameters())
    assert head_mb(HEAD, AdaptationSettings()) == pytest.approx(11 * 4 * weights / 1e6)
    stopping = AdaptationSettings(early_stop=True)
    assert head_mb(HEAD, stopping) == pytest.approx(12 * 4 * weights / 1e6)


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path_factory.mktemp('segformer'))))


def test_a_session_keeps_to_its_budget(segmenter: Segmenter) -> None:
    """The warm-up is shorter, as three frames and a half fit, and learning goes well."""
    def of_one_object(budget_mb: float, frames: float) -> Settings:
        return dataclasses.replace(
            settings(budget_mb, frames), tracker=TrackerSettings(max_objects=1),
            adaptation=AdaptationSettings(held_out_percent=0.0))

    first = stream()[0]
    memory = plan_warm_up(
        of_one_object(0.0, 1.0), segmenter.head, segmenter.encode(first), SIZE_PX,
        CountingTracker()).memory
    fits_mb = memory.step_mb + 3.5 * (memory.features_mb / 2 + memory.frames_mb)
    walk = Session(of_one_object(fits_mb, 5.0), segmenter, CountingTracker())
    for index, frame in enumerate(stream()):
        walk.feed(frame)
        assert index or walk.status()['why'] == 'warming up: 1 frames of 3'
        finish(walk)
    assert walk.status()['promoted']
    assert walk.status()['warm_up_frames'] == 3


def test_the_end_of_a_warm_up_is_told_as_the_budget_sets_it() -> None:
    ten_s, five = WarmUpSettings(unit='seconds', amount=10.0), WarmUpSettings(amount=5.0)
    assert going_on(Progress(frames=2), ten_s) == 'warming up: 2 frames in 10 s'
    assert going_on(Progress(frames=2, most_frames=30), ten_s) == (
        'warming up: 2 frames in 10 s, 30 at most')
    assert going_on(Progress(frames=2), five) == 'warming up: 2 frames of 5'
    assert going_on(Progress(frames=2, most_frames=3), five) == 'warming up: 2 frames of 3'


def test_a_session_that_cannot_labels_plainly_and_says_why(segmenter: Segmenter) -> None:
    wanted = Settings(warm_up=WarmUpSettings(amount=5), memory_budget_mb=0.1)
    walk = Session(wanted, segmenter, CountingTracker())
    for frame in stream():
        assert walk.feed(frame).label.shape == SIZE_PX
        finish(walk)
    status = walk.status()
    assert (status['phase'], status['abandoned']) == ('frozen', True)
    assert 'memory_budget_mb must be >= ' in status['why']
