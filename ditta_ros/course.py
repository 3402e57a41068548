"""One warm-up and what is learnt from it: frames are recorded, then tracked, then learnt from."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from torch import Tensor

from ditta_ros.frame import Frame
from ditta_ros.lessons import Lessons, Progress
from ditta_ros.memory import warm_up_memory
from ditta_ros.segmenter import Features, Head, Segmenter
from ditta_ros.settings import Settings, WarmUpSettings
from ditta_ros.tracker import MaskTracker
from ditta_ros.warm_up import WarmUp, length_frames

_log = logging.getLogger(__name__)


class Course:
    """The way of a copy of the frozen head through one warm-up of frames of one size.

    Ends with ``finish`` or ``stop``, which free its memory; ``progress`` stays.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, tracker: MaskTracker,
        size_px: tuple[int, int],
    ) -> None:
        """``size_px`` (H, W) is that of the frames to come."""
        self.progress = Progress()
        self._settings = settings
        self._segmenter = segmenter
        self._tracker = tracker
        self._warm_up: WarmUp | None = WarmUp(
            settings, tracker, len(segmenter.label_set), size_px)
        self._lessons: Lessons | None = Lessons(
            segmenter.head, settings.adaptation, self._warm_up.sample)
        self._caught_up = False  # all frames so far have been tracked

    @property
    def warming_up(self) -> bool:
        """Whether the warm-up goes on: there are frames to come, or to be tracked."""
        return self._warm_up is not None

    @property
    def next_unit(self) -> str:
        """What there is to do next: 'track', 'learn' or 'none'.

        Where a warm-up waits for frames, 'track' is said once more than there is something to
        track.
        """
        if self._lessons is None:
            return 'none'
        if self._warm_up is None:
            return 'learn' if self._lessons.left else 'none'
        if self._lessons.may_begin(self._warm_up.tracked):
            return 'learn'
        return 'none' if self._caught_up else 'track'

    def takes(self, frame: Frame) -> bool:
        """Whether ``frame`` still belongs to the warm-up; closes it where it does not."""
        self._caught_up = False
        return self._warm_up is not None and self._warm_up.takes(frame)

    def record(self, frame: Frame, features: Features, label: Tensor, reliability: Tensor) -> None:
        """Take a frame with the frozen segmenter's features, label and reliability of it."""
        assert self._warm_up is not None  # or the frame would not have been taken
        kept, first_ns = self._kept(features), self.progress.first_stamp_ns
        if first_ns is None:
            first_ns = frame.stamp_ns
            self._tell_memory(kept, frame.size_px)
        self._warm_up.record(frame, kept, label, reliability)
        self.progress = replace(
            self.progress, frames=self._warm_up.frames, first_stamp_ns=first_ns,
            last_stamp_ns=frame.stamp_ns)

    def close(self) -> None:
        """End the warm-up with the frames that it has."""
        self._caught_up = False
        if self._warm_up is not None:
            self._warm_up.closed = True

    def work(self) -> bool:
        """Do one unit; False where there is nothing to do now."""
        unit = self.next_unit
        if unit == 'learn' and self._lessons is not None:
            losses = self._lessons.step()
            self.progress = replace(self.progress, steps=self.progress.steps + 1, losses=losses)
            return True
        if unit == 'track' and self._warm_up is not None:
            return self._track(self._warm_up, self._lessons)
        return False

    def finish(self) -> Head:
        """Return the head as far as it has learnt, and stop."""
        assert self._lessons is not None  # or it would have been stopped before
        head = self._lessons.head()
        self.stop()
        return head

    def stop(self) -> None:
        """Record, track and learn nothing more."""
        if self._warm_up is not None:
            self._tracker.stop()
        self._warm_up = self._lessons = None

    def _track(self, warm_up: WarmUp, lessons: Lessons | None) -> bool:
        """Do one unit of tracking; after the last of a closed warm-up, plan the lessons."""
        with torch.no_grad():
            tracked = warm_up.track_next()
        self.progress = replace(self.progress, objects=warm_up.objects)
        if tracked or not warm_up.closed:
            self._caught_up = not tracked
            return tracked
        samples = warm_up.samples()
        self._warm_up = None
        if lessons is not None and warm_up.objects:
            self.progress = replace(self.progress, steps_planned=lessons.plan(samples))
        return True

    def _tell_memory(self, features: Features, size_px: tuple[int, int]) -> None:
        """Log what a warm-up of a known length will take at most."""
        frames = length_frames(self._settings.warm_up)
        if frames is not None:
            _log.info('%s', warm_up_memory(
                self._settings, self._segmenter.head, features, size_px, frames,
                self._tracker.memory_bound_mb(self._settings.tracker.max_objects)))

    def _kept(self, features: Features) -> Features:
        """Return a frame's features as they wait for the adaptation."""
        rule = self._settings.adaptation
        network = self._segmenter.device
        device = network if rule.features_device == 'network' else torch.device('cpu')
        first, second, third, fourth = (
            stage.to(device, getattr(torch, rule.features_dtype)) for stage in features)
        return first, second, third, fourth


def going_on(progress: Progress, rule: WarmUpSettings) -> str:
    """Say in a few words how far a course is that has not ended."""
    if progress.steps_planned:
        return f'learning: {progress.steps} steps of {progress.steps_planned}'
    wanted = length_frames(rule)
    end = f'in {rule.amount:g} s' if wanted is None else f'of {wanted}'
    return f'warming up: {progress.frames} frames {end}'
