"""One camera stream, from its first frame to the adapted model: WARM_UP -> ADAPT -> FROZEN."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ditta_ros import checkpoint
from ditta_ros.checkpoint import Adapted, not_finite
from ditta_ros.course import Course, going_on
from ditta_ros.device import choose_device
from ditta_ros.frame import Frame, enlarge
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.labels import LabelSet
from ditta_ros.lessons import Progress
from ditta_ros.mapping import ClassMapping
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import SettingError, Settings
from ditta_ros.tracker import MaskTracker, Sam2Tracker

_log = logging.getLogger(__name__)


class RequestError(ValueError):
    """A session cannot do now what it was asked for; the message says why, and what can be."""


class Phase(enum.Enum):
    """Where a stream is on its way."""

    WARM_UP = 'warm_up'  # recording and tracking; the model in force labels
    ADAPT = 'adapt'  # learning; the model in force labels
    FROZEN = 'frozen'  # nothing learns; the adapted model labels, where there is one


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The labels of one frame, with the frame's own stamp and frame_id."""

    stamp_ns: int
    frame_id: str
    label: Tensor  # [H, W], uint8 or int32 as ``labels.label_dtype`` says
    reliability: Tensor  # float32 [H, W], 0..1 (Eq. 2)
    phase: Phase


class Session:
    """Labels every frame of one stream at once, and adapts to the stream between frames.

    ``feed`` is the only door for frames and never waits for the adaptation; ``work`` does the
    adaptation in units of one tracked frame or one optimiser step, whenever the caller has time.
    The frozen segmenter is in force until an adapted head is, from a warm-up or from a file; it
    stays the teacher of every warm-up.  One thread calls all methods.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, tracker: MaskTracker | None,
        mapping: ClassMapping | None = None,
    ) -> None:
        """``tracker`` None: the frozen segmenter labels for ever, as with ``warm_up.amount`` 0.

        With a ``mapping`` labels and reliabilities are of its target classes; what is tracked and
        learnt stays in the segmenter's own.
        """
        self.settings = settings
        self._segmenter = segmenter
        self._mapping = mapping
        self._tracker = tracker
        self._base_sha256 = base_hash(segmenter)
        self._teacher = IssLabeller(segmenter.head)
        self._iss = self._teacher if mapping is None else IssLabeller(segmenter.head, mapping)
        self._course: Course | None = None  # under way, or the last one for its numbers
        self._settled = ''  # why the phase is FROZEN
        self.reset()

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the labels."""
        return self._segmenter.label_set if self._mapping is None else self._mapping.label_set

    @property
    def device(self) -> torch.device:
        """Where frames are segmented; ``Frame.from_array`` uploads to it."""
        return self._segmenter.device

    def feed(self, frame: Frame) -> Segmentation:
        """Label a frame with the model now in force; remember it while warming up."""
        self._notice_jumps(frame)
        self._frames += 1
        seen = frame.shrunk(self.settings.segmenter.max_side_px)
        with torch.no_grad():
            features = self._segmenter.encode(seen)
            label, reliability = self._labeller.label(features, seen.size_px, self.settings.tau)
            if self.phase is Phase.WARM_UP and self._course_of(seen).takes(seen):
                teacher = (label, reliability) if self._labeller is self._teacher else (
                    self._teacher.label(features, seen.size_px, self.settings.tau))
                self._course_of(seen).record(seen, features, *teacher)
        if seen is not frame:
            label, reliability = enlarge(label, reliability, frame.size_px)
        return Segmentation(frame.stamp_ns, frame.frame_id, label, reliability, self.phase)

    @property
    def next_unit(self) -> str:
        """Kind of the next unit of ``work``, as ``Course.next_unit``: 'track', 'learn' or 'none'.

        The exchange of the model, after the last step, counts as learning.
        """
        if self._course is None:
            return 'none'
        return 'learn' if self.phase is Phase.ADAPT else self._course.next_unit

    def work(self) -> bool:
        """Do one unit of adaptation; False where there is nothing to do now."""
        course = self._course
        if course is None:
            return False
        if self.phase is Phase.ADAPT and course.next_unit == 'none':
            done = course.progress
            self._promote(course, f'adapted on {done.frames} frames, {done.steps} steps')
            return True
        worked = course.work()
        if self.phase is Phase.WARM_UP and not course.warming_up:
            self._end_warm_up(course)
        return worked

    def end_of_stream(self) -> None:
        """Close a warm-up that is still open with the frames it has: no more will come."""
        if self._course is not None:
            self._course.close()

    def start_warm_up(self) -> None:
        """Begin a new warm-up with the next frame; the model in force goes on labelling.

        Raises RequestError where there is no tracker.
        """
        if not self._adapts:
            raise RequestError(
                'a warm-up needs a tracker, which comes with warm_up.amount above 0, got '
                f'{self.settings.warm_up.amount:g}: set it and configure again')
        self._drop_course()
        self.phase, self._settled = Phase.WARM_UP, ''

    def freeze(self) -> None:
        """Learn nothing more; what has learnt so far labels, if it has taken a step."""
        course = self._course
        if self.phase is Phase.FROZEN:
            return
        if course is None or course.progress.steps == 0:
            self._settle('frozen by request before any step of learning')
        else:
            self._promote(course, f'frozen by request after {course.progress.steps} steps')

    def reset(self) -> None:
        """Forget the stream and all adaptation: the frozen segmenter, and a new warm-up."""
        self._drop_course()
        self._frames = self._restarts = 0
        self._adapted: Adapted | None = None
        self._labeller: IssLabeller | TemporalLabeller = self._iss
        self._last: Frame | None = None
        self.phase, self._settled = Phase.WARM_UP, ''
        if not self._adapts:
            self._settle('no tracker, as warm_up.amount is 0: plain SegFormer labels')

    def restart(self, reason: str) -> None:
        """Take what follows for another scene: it does not go on where the last frame was.

        The previous frame is forgotten.  A warm-up begins again, which is counted, and logged with
        ``reason``; learning and an adapted model go on.
        """
        self._last = None
        self._labeller.forget()
        if self._course is not None and self._course.warming_up:
            self._restarts += 1
            _log.warning(
                'warm-up starts again after %d frames: %s', self._course.progress.frames, reason)
            self._drop_course()

    def save(self, path: Path) -> None:
        """Write the adapted model in force to ``path``; raises RequestError, CheckpointError."""
        if self._adapted is None:
            raise RequestError(
                f'save needs an adapted model, got none in the phase {self.phase.value} '
                f'({self.status()["why"]}): let a warm-up be learnt first')
        checkpoint.save(path, self._adapted)

    def load(self, path: Path) -> None:
        """Label with the adapted model in ``path`` from now on, and learn nothing more.

        Raises CheckpointError; nothing has changed then.
        """
        adapted = checkpoint.load(path, self._segmenter, self._base_sha256)
        self._drop_course()
        self._put_in_force(adapted, f'loaded from {path}')

    def close(self) -> None:
        """Free the memory of the stream."""
        self._drop_course()
        self._last = None
        self._labeller.forget()

    def status(self) -> dict[str, Any]:
        """Where the stream is, as plain values that JSON can hold."""
        progress = self._course.progress if self._course is not None else Progress()
        return {
            'phase': self.phase.value,
            'why': self._settled or going_on(progress, self.settings.warm_up),
            'model': self._labeller.name,
            'model_hash': self._base_sha256[:12],
            'promoted': self._adapted is not None,
            'unit': self.next_unit,
            'frames': self._frames,
            'warm_up_frames': progress.frames,
            'warm_up_restarts': self._restarts,
            'objects': progress.objects,
            'adaptation_steps': progress.steps,
            'adaptation_steps_planned': progress.steps_planned,
            'losses': vars(progress.losses) if progress.losses else {},
        }

    @property
    def _adapts(self) -> bool:
        return self._tracker is not None and self.settings.warm_up.amount > 0

    def _notice_jumps(self, frame: Frame) -> None:
        """A frame that does not follow the last one ends what was built on the last one."""
        last = self._last
        if last is not None and frame.stamp_ns < last.stamp_ns:
            self.restart(f'the stamp went back by {(last.stamp_ns - frame.stamp_ns) / 1e9:.3f} s')
        elif last is not None and frame.size_px != last.size_px:
            self.restart(f'the frame size changed from {last.size_px} to {frame.size_px} (H, W)')
        self._last = frame

    def _course_of(self, frame: Frame) -> Course:
        """Return the course under way, or a new one that begins with ``frame``."""
        if self._course is None:
            assert self._tracker is not None  # or the phase would be FROZEN
            self._course = Course(self.settings, self._segmenter, self._tracker, frame.size_px)
        return self._course

    def _drop_course(self) -> None:
        if self._course is not None:
            self._course.stop()
            self._course = None

    def _end_warm_up(self, course: Course) -> None:
        """Go on to learning, or where nothing can be learned, to labelling."""
        if course.progress.objects:
            self.phase = Phase.ADAPT
            return
        why = (f'no prediction of the warm-up reached the reliability tau {self.settings.tau:g}, '
               'so no object was tracked')
        _log.warning('%s: the model in force goes on; lower tau or warm up longer', why)
        self._settle(why)

    def _promote(self, course: Course, why: str) -> None:
        """Put the head that has learnt in force, where learning went well."""
        head, done, fault = course.finish(), course.progress, ''
        if done.steps_planned and not done.steps:
            fault = f'none of {done.steps_planned} steps of learning went well: see the errors'
        elif not_finite(head.state_dict()):
            fault = (f'after {done.steps} steps the weights were not finite, so they are not '
                     'used: lower adaptation.learning_rate')
        if fault:
            _log.error('the model in force goes on: %s', fault)
            self._settle(fault)
            return
        provenance = Provenance.of(
            self._base_sha256, self._segmenter.label_set.names, self.settings, done)
        self._put_in_force(Adapted(head, provenance), why)

    def _put_in_force(self, adapted: Adapted, why: str) -> None:
        self._adapted = adapted
        self._labeller = TemporalLabeller(adapted.head, self._mapping)
        self._settle(why)
        _log.info('the adapted model labels from now on: %s', why)

    def _settle(self, why: str) -> None:
        """Freeze: nothing is recorded, tracked or learnt; the course keeps its progress alone."""
        if self._course is not None:
            self._course.stop()
        self.phase, self._settled = Phase.FROZEN, why


def open_session(settings: Settings) -> Session:
    """Open a session on the models that ``settings`` name; raises ModelError, SettingError."""
    device = choose_device(settings.segmenter.device)
    segmenter = Segmenter.open(settings.segmenter, device, settings.adaptation.seed)
    adapts = settings.warm_up.amount > 0
    tracker = Sam2Tracker.load(settings.tracker, device) if adapts else None
    session = Session(settings, segmenter, tracker)
    if settings.checkpoint.load_at_start:
        _load_at_start(session, settings.checkpoint.path)
    return session


def _load_at_start(session: Session, name: str) -> None:
    path = Path(name)
    if not name:
        raise SettingError(
            'checkpoint.load_at_start needs a checkpoint.path, got none: name the file')
    if path.exists():
        session.load(path)
    else:
        _log.info(
            'checkpoint.path %s is not there yet, nothing is loaded at start; %s', path,
            session.status()['why'])
