"""One camera stream, from its first frame to the adapted model: WARM_UP -> ADAPT -> FROZEN."""

from __future__ import annotations

import copy
import enum
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ditta_ros.adaptation import Adapter, Losses, Sample
from ditta_ros.errors import ModelError
from ditta_ros.frame import Frame, enlarge
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.labels import LabelSet
from ditta_ros.memory import warm_up_memory
from ditta_ros.segmenter import Features, Segmenter
from ditta_ros.settings import Settings
from ditta_ros.tracker import MaskTracker, Sam2Tracker
from ditta_ros.warm_up import WarmUp, length_frames

_log = logging.getLogger(__name__)


class Phase(enum.Enum):
    """Where a stream is on its way."""

    WARM_UP = 'warm_up'  # recording and tracking; the frozen segmenter labels
    ADAPT = 'adapt'  # learning; the frozen segmenter labels
    FROZEN = 'frozen'  # nothing learns; the adapted model labels


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The labels of one frame, with the frame's own stamp and frame_id."""

    stamp_ns: int
    frame_id: str
    label: Tensor  # uint8 [H, W], 255: unlabelled
    reliability: Tensor  # float32 [H, W], 0..1 (Eq. 2)
    phase: Phase


class Session:
    """Labels every frame of one stream at once, and adapts to the stream between frames.

    ``feed`` is the only door for frames and never waits for the adaptation; ``work`` does the
    adaptation in units of one tracked frame or one optimiser step, whenever the caller has time.
    One thread calls both.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, tracker: MaskTracker | None,
    ) -> None:
        """``tracker`` None: the frozen segmenter labels for ever, as with ``warm_up.amount`` 0."""
        self.settings = settings
        self._segmenter = segmenter
        self._tracker = tracker
        self._warm_up: WarmUp | None = None
        self.reset()

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the labels."""
        return self._segmenter.label_set

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
        if self.phase is Phase.WARM_UP and self._warm_up_for(seen).takes(seen):
            self._record(seen, self._kept(features), label, reliability)
        if seen is not frame:
            label, reliability = enlarge(label, reliability, frame.size_px)
        return Segmentation(frame.stamp_ns, frame.frame_id, label, reliability, self.phase)

    def work(self) -> bool:
        """Do one unit of adaptation; False where there is nothing to do now."""
        if self.phase is Phase.WARM_UP and self._warm_up is not None:
            if self._learn_on_the_way(self._warm_up):
                return True
            with torch.no_grad():
                if self._warm_up.track_next():
                    return True
            if self._warm_up.closed:
                self._end_warm_up(self._warm_up)
                return True
        elif self.phase is Phase.ADAPT:
            self._adapt()
            return True
        return False

    def end_of_stream(self) -> None:
        """Close a warm-up that is still open with the frames it has: no more will come."""
        if self._warm_up is not None:
            self._warm_up.closed = True

    def reset(self) -> None:
        """Forget the stream and all adaptation: the frozen segmenter, and a new warm-up."""
        self._frames = 0
        self._restarts = 0
        self._labeller: IssLabeller | TemporalLabeller = IssLabeller(self._segmenter.head)
        self._last: Frame | None = None
        self._objects, self._warm_up_frames = 0, 0
        self._drop_warm_up()
        self._forget_lessons()
        adapts = self._tracker is not None and self.settings.warm_up.amount > 0
        self.phase = Phase.WARM_UP if adapts else Phase.FROZEN

    def close(self) -> None:
        """Free the memory of the stream."""
        self._drop_warm_up()
        self._forget_lessons()
        self._last = None
        self._labeller.forget()

    def status(self) -> dict[str, Any]:
        """Where the stream is, as plain values that JSON can hold."""
        warm_up = self._warm_up
        return {
            'phase': self.phase.value,
            'model': self._labeller.name,
            'frames': self._frames,
            'warm_up_frames': warm_up.frames if warm_up else self._warm_up_frames,
            'warm_up_restarts': self._restarts,
            'objects': warm_up.objects if warm_up else self._objects,
            'adaptation_steps': self._steps_done,
            'adaptation_steps_planned': self._steps_planned,
            'losses': vars(self._losses) if self._losses else {},
        }

    def _notice_jumps(self, frame: Frame) -> None:
        """A frame that does not follow the last one ends what was built on the last one."""
        last, self._last = self._last, frame
        if last is None:
            return
        jumped = frame.stamp_ns < last.stamp_ns
        if not jumped and frame.size_px == last.size_px:
            return
        self._labeller.forget()
        if self._warm_up is not None and self.phase is Phase.WARM_UP:
            self._restarts += 1
            _log.warning(
                'warm-up starts again after %d frames: %s', self._warm_up.frames,
                f'the stamp went back by {(last.stamp_ns - frame.stamp_ns) / 1e9:.3f} s' if jumped
                else f'the frame size changed from {last.size_px} to {frame.size_px} (H, W)')
            self._drop_warm_up()
            self._forget_lessons()

    def _record(
        self, frame: Frame, features: Features, label: Tensor, reliability: Tensor,
    ) -> None:
        warm_up = self._warm_up_for(frame)
        frames = length_frames(self.settings.warm_up)
        if warm_up.frames == 0 and frames is not None and self._tracker is not None:
            _log.info('%s', warm_up_memory(
                self.settings, self._segmenter.head, features, frame.size_px, frames,
                self._tracker.memory_bound_mb(self.settings.tracker.max_objects)))
        warm_up.record(frame, features, label, reliability)

    def _kept(self, features: Features) -> Features:
        """Return a frame's features as they wait for the adaptation."""
        rule = self.settings.adaptation
        device = self.device if rule.features_device == 'network' else torch.device('cpu')
        first, second, third, fourth = (
            stage.to(device, getattr(torch, rule.features_dtype)) for stage in features)
        return first, second, third, fourth

    def _warm_up_for(self, frame: Frame) -> WarmUp:
        if self._warm_up is None:
            assert self._tracker is not None  # or the phase would be FROZEN
            self._warm_up = WarmUp(
                self.settings, self._tracker, len(self.label_set), frame.size_px)
        return self._warm_up

    def _drop_warm_up(self) -> None:
        self._warm_up = None
        if self._tracker is not None:
            self._tracker.stop()

    def _forget_lessons(self) -> None:
        self._adapter: Adapter | None = None
        self._schedule: Iterator[Sample] = iter(())  # what to learn from next
        self._rounds = 0  # of learning while warming up
        self._steps_done, self._steps_planned = 0, 0
        self._losses: Losses | None = None

    def _learn_on_the_way(self, warm_up: WarmUp) -> bool:
        """Take a step while the warm-up goes on, where that is wanted and there is one to take."""
        rule = self.settings.adaptation
        if rule.when == 'after_warm_up':
            return False
        sample = next(self._schedule, None)
        # The newest frame waits until the objects prompted on it have been tracked back.
        if sample is None and self._rounds < warm_up.tracked - 1:
            self._schedule = map(
                warm_up.sample, round_of(self._rounds, rule.passes, warm_up.tracked))
            self._rounds += 1
            sample = next(self._schedule, None)
        if sample is None:
            return False
        self._step(sample)
        return True

    def _end_warm_up(self, warm_up: WarmUp) -> None:
        """Go on to learning, or where nothing can be learned, to labelling."""
        samples = warm_up.samples()
        self._objects, self._warm_up_frames = warm_up.objects, warm_up.frames
        self._drop_warm_up()
        if not self._objects:
            _log.warning(
                'no prediction of the warm-up reached the reliability tau %g, so no object was '
                'tracked: the frozen model goes on; lower tau or warm up longer',
                self.settings.tau)
            self._forget_lessons()
            self.phase = Phase.FROZEN
            return
        rule = self.settings.adaptation
        if rule.when == 'after_warm_up':
            self._schedule = (sample for _ in range(rule.passes) for sample in samples)
        else:
            rounds = range(self._rounds, len(samples) + rule.passes - 1)
            self._schedule = (samples[t] for number in rounds
                              for t in round_of(number, rule.passes, len(samples)))
        self._steps_planned = rule.passes * len(samples)
        self.phase = Phase.ADAPT

    def _adapt(self) -> None:
        """Take the next optimiser step, or freeze after the last."""
        sample = next(self._schedule, None)
        if sample is not None:
            self._step(sample)
            return
        self._labeller = TemporalLabeller(self._learner().head.requires_grad_(False).eval())
        self._adapter, self._schedule = None, iter(())
        self.phase = Phase.FROZEN

    def _step(self, sample: Sample) -> None:
        self._losses = self._learner().step(sample)
        self._steps_done += 1

    def _learner(self) -> Adapter:
        """Return the stream's adapter, made from the frozen head at the first step."""
        if self._adapter is None:
            self._adapter = Adapter(copy.deepcopy(self._segmenter.head), self.settings.adaptation)
        return self._adapter


def round_of(number: int, passes: int, frames: int) -> range:
    """Frames to learn from in a round of learning while warming up.

    Round t follows frame t and takes the last ``passes`` frames up to it; rounds go on after the
    last frame, until every frame has been taken ``passes`` times.
    """
    return range(max(number - passes + 1, 0), min(number + 1, frames))


def open_session(settings: Settings) -> Session:
    """Load the models that ``settings`` name and open a session on them; raises ModelError."""
    device = choose_device(settings.segmenter.device)
    segmenter = Segmenter.load(settings.segmenter.model, device, settings.adaptation.seed)
    tracker = None
    if settings.warm_up.amount > 0:
        tracker = Sam2Tracker.load(settings.tracker, device)
    return Session(settings, segmenter, tracker)


def choose_device(name: str) -> torch.device:
    """Return the device that ``segmenter.device`` names; auto is the first GPU, else the CPU."""
    if name == 'cuda' and not torch.cuda.is_available():
        raise ModelError(
            'segmenter.device cuda needs a GPU that torch can use, got none: install a CUDA build '
            'of torch and its driver, or set segmenter.device to auto or cpu')
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if name == 'cpu':
        _log.warning('the networks run on the CPU')
    return torch.device(name)
