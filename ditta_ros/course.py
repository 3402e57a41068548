"""One warm-up and what is learnt from it: frames are recorded, then tracked, then learnt from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import torch

from ditta_ros.calibration import Calibration
from ditta_ros.checkpoint import not_finite
from ditta_ros.colours import Colours
from ditta_ros.device import release_unused
from ditta_ros.faults import FAULTS, Endurance, Fault
from ditta_ros.frame import Frame
from ditta_ros.guard import Verdict, held_out
from ditta_ros.kept_features import kept
from ditta_ros.labeller import Labelled
from ditta_ros.lessons import Lessons, Progress
from ditta_ros.memory_budget import plan_warm_up
from ditta_ros.segmenter import Features, Head, Segmenter
from ditta_ros.settings import Settings, WarmUpSettings
from ditta_ros.tracker import MaskTracker
from ditta_ros.trial import Trial
from ditta_ros.warm_up import WarmUp, length_frames

_log = logging.getLogger(__name__)


class Course:
    """The way of a copy of the frozen head through one warm-up of frames of one size.

    Ends with ``finish`` or ``stop``, which free its memory; ``progress`` stays.  What goes wrong
    in it is borne: a frame is not tracked or a step not taken, and ``abandoned`` says why where
    that is too much.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, tracker: MaskTracker, first: Frame,
        features: Features, endurance: Endurance,
    ) -> None:
        """``first`` is the frame to be offered first, with its ``features``."""
        self.progress = Progress()
        self.abandoned = ''
        self.colours: Colours | None = None  # the stream's, where they are changed to teach
        self.verdict: Verdict | None = None  # of the guard, once it has judged
        self._settings = settings
        self._segmenter = segmenter
        self._tracker = tracker
        self._endurance = endurance
        self._warm_up: WarmUp | None = None
        self._lessons: Lessons | None = None
        self._trial: Trial | None = None  # by the guard; None: nothing is held out for it
        self._caught_up = False  # all frames so far have been tracked
        endurance.went_well()  # what went wrong before is no fault of this one
        try:
            self._begin(first, features)
        except FAULTS as error:
            self.abandoned = Fault.of(error, 'the beginning of a warm-up').text

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
            return 'learn' if self._lessons.left or self._trial_waits else 'none'
        if self._lessons.may_begin(self._warm_up.tracked):
            return 'learn'
        return 'none' if self._caught_up else 'track'

    def offer(self, frame: Frame, teach: Callable[[], Labelled]) -> None:
        """Take ``frame`` where it still belongs to the warm-up, which ends where it does not.

        ``teach`` returns what the frozen segmenter makes of it.
        """
        self._caught_up = False
        if self._warm_up is None or not self._warm_up.takes(frame):
            return
        try:
            self._record(self._warm_up, frame, teach())
            return
        except FAULTS as error:
            fault = Fault.of(error, 'recording a frame of the warm-up')
        self._bear(fault)

    def close(self) -> None:
        """End the warm-up with the frames that it has."""
        self._caught_up = False
        if self._warm_up is not None:
            self._warm_up.closed = True

    def work(self) -> bool:
        """Do one unit; False where there is nothing to do now."""
        unit, worked, fault = self.next_unit, False, None
        try:
            if unit == 'learn' and self._lessons is not None:
                worked = self._learn(self._lessons)
            elif unit == 'track' and self._warm_up is not None:
                worked = self._track(self._warm_up, self._lessons)
        except FAULTS as error:
            fault = Fault.of(error, f'a {unit} unit of adaptation')
        if fault is not None:
            self._bear(fault)
        elif worked:
            self._endurance.went_well()
        return worked or fault is not None

    def finish(self) -> Head:
        """Return the head as far as it has learnt, and stop."""
        assert self._lessons is not None  # or it would have been stopped before
        tried = None if self._trial is None else self._trial.head
        head = self._lessons.head() if tried is None else tried
        self.stop()
        return head

    def stop(self) -> None:
        """Record, track and learn nothing more."""
        if self._warm_up is not None:
            self._tracker.stop()
        self._warm_up = self._lessons = self._trial = None

    def _begin(self, first: Frame, features: Features) -> None:
        """Make ready for frames like ``first``; raises SettingError where memory is too short."""
        plan = plan_warm_up(
            self._settings, self._segmenter.head, features, first.size_px, self._tracker)
        self._settings = plan.settings
        self.progress = replace(self.progress, most_frames=plan.most_frames)
        rule = plan.settings.adaptation
        warm_up = WarmUp(
            plan.settings, self._tracker, len(self._segmenter.label_set), first.size_px,
            Calibration(
                self._segmenter, plan.settings.tau, rule.colours == 'align',
                rule.statistics == 'align', rule.colours_share))
        self._lessons = Lessons(
            lambda: warm_up.head or self._segmenter.head, rule, warm_up.sample,
            rule.add_on_start == 'matching' and not self._segmenter.has_add_on)
        self._warm_up = warm_up

    def _record(self, warm_up: WarmUp, frame: Frame, taught: Labelled) -> None:
        """Record a frame with the frozen segmenter's features, label and reliability of it."""
        features = kept(taught.features, self._settings.adaptation)
        warm_up.record(frame, features, taught.label, taught.reliability)
        if warm_up.frames == self.progress.most_frames:
            warm_up.closed = True
        first_ns = self.progress.first_stamp_ns
        self.progress = replace(
            self.progress, frames=warm_up.frames, last_stamp_ns=frame.stamp_ns,
            first_stamp_ns=frame.stamp_ns if first_ns is None else first_ns)

    def _bear(self, fault: Fault) -> None:
        """Note a fault, and ask less of the tracker where memory ran out; or abandon it all."""
        self._endurance.note(fault)
        if self._endurance.in_a_row >= self._settings.adaptation.max_bad_steps:
            self.abandoned = (
                f'{self._endurance.in_a_row} faults in a row, the last: {fault.text}')
        elif fault.out_of_memory and self._warm_up is not None:
            less = self._warm_up.reduce()
            release_unused()
            if less:
                _log.warning('memory ran out while warming up; from now on %s', less)
            else:
                self.abandoned = f'memory ran out, and nothing can be reduced: {fault.text}'

    def _learn(self, lessons: Lessons) -> bool:
        """Take the next step of learning; once all are taken, have the guard judge."""
        if not lessons.left and self._trial is not None:
            self._trial.step(lessons.head)
            self.verdict = self._trial.verdict
            return True
        losses = lessons.step()
        self.progress = replace(self.progress, steps=self.progress.steps + 1, losses=losses)
        return True

    def _track(self, warm_up: WarmUp, lessons: Lessons | None) -> bool:
        """Do one unit of tracking; after the last of a closed warm-up, plan the lessons."""
        with torch.no_grad():
            tracked = warm_up.track_next()
        self.progress = replace(self.progress, objects=warm_up.objects)
        if tracked or not warm_up.closed:
            self._caught_up = not tracked
            return tracked
        samples, self.colours = warm_up.samples(), warm_up.colours
        held = held_out(warm_up.frames, self._settings.adaptation.held_out_percent)
        if held:
            self._trial = Trial(
                samples, held, warm_up.iss_labels(held + 1), self._segmenter.head,
                len(self._segmenter.label_set), self._settings.tau,
                self._settings.adaptation.class_guard == 'give_back')
        self._warm_up = None
        if lessons is not None and warm_up.objects:
            self.progress = replace(
                self.progress, steps_planned=lessons.plan(samples, held))
        return True

    @property
    def _trial_waits(self) -> bool:
        """Whether what has learnt is still to be judged."""
        done = self.progress
        return (self._trial is not None and self.verdict is None
                and (done.steps > 0 or done.steps_planned == 0))


def unfit(head: Head, done: Progress, verdict: Verdict | None) -> str:
    """Say why a head that has learnt cannot be used; '' where it can.

    ``verdict`` is the guard's; None: it was not asked.
    """
    if done.steps_planned and not done.steps:
        return f'none of {done.steps_planned} steps of learning went well: see the errors'
    if not_finite(head.state_dict()):
        return (f'after {done.steps} steps the weights were not finite, so they are not used: '
                'lower adaptation.learning_rate')
    if verdict is not None and not verdict.promoted:
        return f'not promoted by the guard: {verdict.why}'
    return ''


def nothing_tracked(tau: float) -> str:
    """Say, and log, that a warm-up has found no object."""
    why = (f'no prediction of the warm-up reached the reliability tau {tau:g}, so no object was '
           'tracked')
    _log.warning('%s: the model in force goes on; lower tau or warm up longer', why)
    return why


def going_on(progress: Progress, rule: WarmUpSettings) -> str:
    """Say in a few words how far a course is that has not ended."""
    if progress.steps_planned:
        return f'learning: {progress.steps} steps of {progress.steps_planned}'
    wanted, most = length_frames(rule), progress.most_frames
    if wanted is None:
        end = f'in {rule.amount:g} s' + ('' if most is None else f', {most} at most')
    else:
        end = f'of {wanted if most is None else most}'
    return f'warming up: {progress.frames} frames {end}'
