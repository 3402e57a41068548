"""The way of a baseline through one stream: WARM_UP -> ADAPT -> FROZEN, as a session goes it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from ditta_ros.checkpoint import not_finite
from ditta_ros.frame import Frame, enlarge
from ditta_ros.labeller import IssLabeller
from ditta_ros.labels import LabelSet
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Segmentation
from ditta_ros.settings import Settings, WarmUpSettings
from ditta_ros.warm_up import length_frames

_log = logging.getLogger(__name__)


class Learner(Protocol):
    """How one method labels, and what it learns from the frames of one warm-up."""

    unit: str  # what a unit of its work is: 'track' or 'learn'
    steps: int  # of learning, so far
    objects: int  # prompted, so far

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Return label [H, W] and reliability float32 [H, W] of the next frame.

        ``teaches``: the frame belongs to the warm-up and is to be learnt from, later.
        """

    def work(self, no_more: bool) -> bool:
        """Do one unit of learning; False where there is nothing to do now.

        ``no_more``: the warm-up is complete.  False is then the end of all learning.
        """

    def learnt(self) -> Mapping[str, Tensor]:
        """Return by name whatever learning may have changed."""

    def forget(self) -> None:
        """Drop what the last frame left behind: the next one does not follow it."""


class Plain:
    """The segmenter as it came: what labels where nothing is learnt."""

    unit = 'none'

    def __init__(
        self, settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
        steps: int = 0,
    ) -> None:
        """``steps`` were taken in vain."""
        self.steps = steps
        self.objects = 0
        self._segmenter = segmenter
        self._tau = settings.tau
        self._labeller = IssLabeller(segmenter.head, mapping)

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - never learns
        """Label the frame by itself."""
        return self._labeller.label(self._segmenter.encode(frame), frame.size_px, self._tau)

    def work(self, no_more: bool) -> bool:  # noqa: ARG002 - never learns
        """Nothing is learnt."""
        return False

    def learnt(self) -> Mapping[str, Tensor]:
        """Nothing."""
        return {}

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""


class Window:
    """Which frames are the warm-up: the first ones, as ``warm_up.WarmUp`` counts them."""

    def __init__(self, rule: WarmUpSettings) -> None:
        self.frames = 0
        self.closed = False
        self._rule = rule
        self._first_stamp_ns = 0

    def takes(self, frame: Frame) -> bool:
        """Whether the next frame belongs to the warm-up; counts it where it does."""
        if self.frames == 0:
            self._first_stamp_ns = frame.stamp_ns
        elif self._rule.unit == 'seconds':
            spent_ns = frame.stamp_ns - self._first_stamp_ns
            self.closed = self.closed or spent_ns >= self._rule.amount * 1e9
        if self.closed:
            return False
        self.frames += 1
        wanted = length_frames(self._rule)
        self.closed = wanted is not None and self.frames >= wanted
        return True


class Walk:
    """A method (``baselines.method.Method``) made of a learner and the walk of every stream.

    A jump of stamp or size begins an open warm-up anew, with a new learner, as in a session.
    Where what was learnt is not finite, the plain segmenter labels on and ``status`` says so.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, begin: Callable[[], Learner],
        mapping: ClassMapping | None = None,
    ) -> None:
        """``begin`` returns a learner that knows nothing of the stream yet.

        With a ``mapping`` its labels are of the target classes.
        """
        self.settings = settings
        self.phase = Phase.WARM_UP
        self._segmenter = segmenter
        self._mapping = mapping
        self._begin = begin
        self._window = Window(settings.warm_up)
        self._frames = self._restarts = 0
        self._promoted = False
        self._idle = False  # there was nothing to do, and no frame has come since
        self._settled = ''  # why the phase is FROZEN
        self._last: Frame | None = None
        self.learner = begin()

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the labels."""
        return self._segmenter.label_set if self._mapping is None else self._mapping.label_set

    @property
    def device(self) -> torch.device:
        """Where frames are segmented."""
        return self._segmenter.device

    @property
    def next_unit(self) -> str:
        """Kind of the next unit of ``work``: 'track', 'learn' or 'none'.

        While a warm-up waits for frames, a unit is said once more than there is one.
        """
        return 'none' if self._idle or self.phase is Phase.FROZEN else self.learner.unit

    @torch.no_grad()
    def feed(self, frame: Frame) -> Segmentation:
        """Label a frame with what has been learnt so far; remember it while warming up."""
        self._notice_jumps(frame)
        self._frames += 1
        self._idle = False
        seen = frame.shrunk(self.settings.segmenter.max_side_px)
        teaches = self.phase is Phase.WARM_UP and self._window.takes(seen)
        label, reliability = self.learner.label(seen, teaches)
        if seen is not frame:
            label, reliability = enlarge(label, reliability, frame.size_px)
        return Segmentation(frame.stamp_ns, frame.frame_id, label, reliability, self.phase)

    def work(self) -> bool:
        """Do one unit of learning, or freeze after the last; False where nothing is to do now."""
        if self.phase is Phase.FROZEN:
            return False
        no_more = self._window.closed
        if self.learner.work(no_more):
            self.phase = Phase.ADAPT if no_more else Phase.WARM_UP
            return True
        self._idle = True
        if no_more:
            self._freeze()
        return no_more

    def end_of_stream(self) -> None:
        """Close a warm-up that is still open with the frames it has."""
        self._window.closed = True
        self._idle = False

    def status(self) -> dict[str, Any]:
        """Where the stream is, as plain values that JSON can hold."""
        return {
            'phase': self.phase.value,
            'why': self._settled or self._going_on(),
            'promoted': self._promoted,
            'unit': self.next_unit,
            'frames': self._frames,
            'warm_up_frames': self._window.frames,
            'warm_up_restarts': self._restarts,
            'objects': self.learner.objects,
            'adaptation_steps': self.learner.steps,
        }

    def close(self) -> None:
        """Free the memory of the stream; what follows, the plain segmenter labels."""
        self.learner.forget()
        self.learner = Plain(
            self.settings, self._segmenter, self._mapping, self.learner.steps)
        self._promoted = False
        self._settle('closed')
        self._last = None

    def _going_on(self) -> str:
        if self.phase is Phase.ADAPT:
            return f'learning: {self.learner.steps} steps'
        wanted = length_frames(self.settings.warm_up)
        end = f'in {self.settings.warm_up.amount:g} s' if wanted is None else f'of {wanted}'
        return f'warming up: {self._window.frames} frames {end}'

    def _notice_jumps(self, frame: Frame) -> None:
        last, self._last = self._last, frame
        if last is not None and frame.stamp_ns < last.stamp_ns:
            self._jump(f'the stamp went back by {(last.stamp_ns - frame.stamp_ns) / 1e9:.3f} s')
        elif last is not None and frame.size_px != last.size_px:
            self._jump(f'the frame size changed from {last.size_px} to {frame.size_px} (H, W)')

    def _jump(self, reason: str) -> None:
        """Take what follows for another scene."""
        self.learner.forget()
        if self._window.closed or self.phase is not Phase.WARM_UP:
            _log.info('the stream does not go on where it was: %s', reason)
            return
        _log.warning(
            'warm-up starts again after %d frames: %s', self._window.frames, reason)
        self._restarts += 1
        self._window = Window(self.settings.warm_up)
        self.learner = self._begin()

    def _freeze(self) -> None:
        steps, objects = self.learner.steps, self.learner.objects
        done = f'{self._window.frames} frames, {steps} steps, {objects} objects'
        if not_finite(self.learner.learnt()):
            self.learner.forget()
            self.learner = Plain(self.settings, self._segmenter, self._mapping, steps)
            fault = f'what was learnt is not finite, plain SegFormer labels: {done}'
            _log.error('%s', fault)
            self._settle(fault)
        elif steps or objects:
            self._promoted = True
            self._settle(f'frozen after {done}')
        else:
            self._settle(f'there was nothing to learn, plain SegFormer labels: {done}')

    def _settle(self, why: str) -> None:
        self.phase, self._settled = Phase.FROZEN, why
