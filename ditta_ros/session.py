"""One camera stream, from its first frame to the adapted model: WARM_UP -> ADAPT -> FROZEN."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from ditta_ros import checkpoint
from ditta_ros.checkpoint import Adapted
from ditta_ros.course import Course, going_on, nothing_tracked, unfit
from ditta_ros.device import release_unused
from ditta_ros.errors import RequestError
from ditta_ros.faults import FAULTS, Endurance, Fault, out_of_memory
from ditta_ros.frame import Frame, enlarge
from ditta_ros.labeller import Labelled
from ditta_ros.labels import LabelSet
from ditta_ros.lessons import Progress
from ditta_ros.mapping import ClassMapping
from ditta_ros.model_in_force import ModelInForce
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.segmentation import Phase, Segmentation
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings
from ditta_ros.tracker import MaskTracker

_log = logging.getLogger(__name__)


class Session:
    """Labels every frame of one stream at once, and adapts to the stream between frames.

    ``feed`` is the only door for frames and never waits for the adaptation; ``work`` does the
    adaptation in units of one tracked frame or one optimiser step, whenever the caller has time.
    The frozen segmenter is in force until an adapted head is, from a warm-up or from a file; it
    stays the teacher of every warm-up.  What goes wrong in the adaptation never keeps a frame from
    its label.  A frozen stream keeps the tracker's weights where they are, for a warm-up to come;
    all else that the warm-up held is freed.  One thread calls all methods.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, tracker: MaskTracker | None,
        mapping: ClassMapping | None = None, tracker_sha256: str = '',
    ) -> None:
        """``tracker`` None: the frozen segmenter labels for ever, as with ``warm_up.amount`` 0.

        With a ``mapping`` labels and reliabilities are of its target classes; what is tracked and
        learnt stays in the segmenter's own.  ``tracker_sha256`` of its weights is for the status.
        """
        self.settings = settings
        self._segmenter = segmenter
        self._tracker = tracker
        self._model = ModelInForce(segmenter, mapping, settings)
        self._base_sha256, self._tracker_sha256 = base_hash(segmenter), tracker_sha256
        self._course: Course | None = None  # under way, or the last one for its numbers
        self._settled = ''  # why the phase is FROZEN
        self.reset()

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the labels."""
        return self._model.label_set

    @property
    def device(self) -> torch.device:
        """Where frames are segmented; ``Frame.from_array`` uploads to it."""
        return self._segmenter.device

    def warm_start(self) -> None:
        """Compile ahead what frames would wait for; on the thread that labels them, too."""
        self._model.warm_start()

    def feed(self, frame: Frame) -> Segmentation:
        """Label a frame with the model now in force; remember it while warming up."""
        jump = self._model.follow(frame)
        if jump:
            self.restart(jump)
        self._frames += 1
        seen = frame.shrunk(self.settings.segmenter.max_side_px)
        labelled = self._label(seen)
        if self.phase is Phase.WARM_UP:
            self._record(seen, labelled)
        self._watch(seen, labelled)
        _, label, reliability = labelled
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
        worked = self._work(course)
        self._heed(course)
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
        self._begin()

    def freeze(self) -> None:
        """Learn nothing more; what has learnt so far labels, if it has taken a step.

        The guard is not asked: it judges what has learnt all that it should.
        """
        course = self._course
        if self.phase is Phase.FROZEN:
            return
        if course is None or course.progress.steps == 0:
            self._settle('frozen by request before any step of learning')
        else:
            self._exchange(
                course, f'frozen by request after {course.progress.steps} steps, not judged')

    def abandon(self, why: str) -> None:
        """Give up what is learnt, for a fault; the model in force goes on labelling."""
        _log.error('the adaptation is abandoned, the model in force goes on: %s', why)
        self._settle(f'adaptation abandoned: {why}')
        self._abandoned = True

    def reset(self) -> None:
        """Forget the stream and all adaptation: the frozen segmenter, and a new warm-up."""
        self._frames = self._restarts = 0
        self._model.put_back()
        self._endurance = Endurance()
        self._begin()
        if not self._adapts:
            self._settle('no tracker, as warm_up.amount is 0: plain SegFormer labels')

    def restart(self, reason: str) -> None:
        """Take what follows for another scene: it does not go on where the last frame was.

        The previous frame is forgotten.  A warm-up begins again, which is counted, and logged with
        ``reason``; learning and an adapted model go on.
        """
        self._model.forget()
        if self._course is not None and self._course.warming_up:
            self._restarts += 1
            _log.warning(
                'warm-up starts again after %d frames: %s', self._course.progress.frames, reason)
            self._drop_course()

    def save(self, path: Path) -> None:
        """Write the adapted model in force to ``path``; raises RequestError, CheckpointError."""
        if self._model.adapted is None:
            raise RequestError(
                f'save needs an adapted model, got none in the phase {self.phase.value} '
                f'({self.status()["why"]}): let a warm-up be learnt first')
        checkpoint.save(path, self._model.adapted)

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
        self._model.forget()

    def status(self) -> dict[str, Any]:
        """Where the stream is, as plain values that JSON can hold."""
        progress = self._course.progress if self._course is not None else Progress()
        return {
            'phase': self.phase.value,
            'why': self._settled or going_on(progress, self.settings.warm_up),
            **self._model.status(),
            'model_hash': self._base_sha256[:12], 'tracker_hash': self._tracker_sha256[:12],
            'unit': self.next_unit,
            'frames': self._frames, 'warm_up_restarts': self._restarts,
            **progress.status(),
            **self._endurance.status(),
            'abandoned': self._abandoned,
            'drift': self._model.drift.found if self.phase is Phase.FROZEN else '',
        }

    @property
    def _adapts(self) -> bool:
        return self._tracker is not None and self.settings.warm_up.amount > 0

    def _label(self, frame: Frame) -> Labelled:
        """Label a frame; where memory is too short for that, the adaptation makes room."""
        try:
            return self._model.label(frame, self.settings.tau, self.phase is Phase.WARM_UP)
        except FAULTS as error:
            if self.phase is Phase.FROZEN or not out_of_memory(error):
                raise
            fault = Fault.of(error, 'labelling')
        self._endurance.note(fault)
        self.abandon(f'labels need its memory: {fault.text}')
        release_unused()
        self._model.forget()
        return self._model.label(frame, self.settings.tau)

    def _record(self, frame: Frame, labelled: Labelled) -> None:
        """Let the warm-up take a frame that has been labelled."""
        if self._course is None:
            assert self._tracker is not None  # or the phase would be FROZEN
            self._course = Course(
                self.settings, self._segmenter, self._tracker, frame, labelled.features,
                self._endurance)
        self._course.offer(
            frame, lambda: self._model.teach(frame, labelled, self.settings.tau))
        self._heed(self._course)

    def _heed(self, course: Course) -> None:
        if course.abandoned and self.phase is not Phase.FROZEN:
            self.abandon(course.abandoned)

    def _watch(self, frame: Frame, labelled: Labelled) -> None:
        """Look for drift, and begin a new warm-up where that is wanted."""
        rule = self.settings.adaptation
        self._model.watch(frame, labelled, rule)
        if self.phase is Phase.FROZEN and self._model.drift.asks_for_warm_up(rule, self._adapts):
            self.start_warm_up()

    def _begin(self) -> None:
        """Go to a new warm-up, which begins with the next frame."""
        self._drop_course()
        self.phase, self._settled, self._abandoned = Phase.WARM_UP, '', False
        self._model.watch_anew()

    def _work(self, course: Course) -> bool:
        if self.phase is Phase.ADAPT and course.next_unit == 'none':
            done = course.progress
            self._exchange(course, f'adapted on {done.frames} frames, {done.steps} steps')
            return True
        worked = course.work()
        if self.phase is Phase.WARM_UP and not (course.warming_up or course.abandoned):
            if course.progress.objects:
                self.phase = Phase.ADAPT
            else:
                self._settle(nothing_tracked(self.settings.tau))
        return worked

    def _drop_course(self) -> None:
        if self._course is not None:
            self._course.stop()
            self._course = None

    def _exchange(self, course: Course, why: str) -> None:
        try:
            self._promote(course, why)
        except FAULTS as error:
            self.abandon(Fault.of(error, 'the exchange of the model').text)

    def _promote(self, course: Course, why: str) -> None:
        """Put the head that has learnt in force, where learning went well."""
        head, done, verdict = course.finish(), course.progress, course.verdict
        fault = unfit(head, done, verdict)
        if fault:
            _log.warning('the model in force goes on: %s', fault)
            self._settle(fault)
            return
        provenance = Provenance.of(
            self._base_sha256, self._segmenter.label_set.names, self.settings, done,
            course.colours)
        self._put_in_force(
            Adapted(head, provenance), f'{why}; {verdict.why}' if verdict else why)

    def _put_in_force(self, adapted: Adapted, why: str) -> None:
        self._model.put(adapted)
        self._settle(why)
        _log.info('the adapted model labels from now on: %s', why)

    def _settle(self, why: str) -> None:
        """Freeze: nothing is recorded, tracked or learnt; the course keeps its progress alone."""
        if self._course is not None:
            self._course.stop()
        self.phase, self._settled, self._abandoned = Phase.FROZEN, why, False
