"""In which order the decode head learns from the frames of a warm-up, and how far that is."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ditta_ros import matching
from ditta_ros.adaptation import Adapter, Losses, Sample
from ditta_ros.segmenter import Head
from ditta_ros.settings import AdaptationSettings

STOP_FRAMES = 8  # at most that early stopping looks at: they belong to one unit of work


@dataclass(frozen=True)
class Progress:
    """How far a warm-up and the learning from it have come, or had when they ended."""

    frames: int = 0  # recorded
    most_frames: int | None = None  # for which the memory has room; None: as the settings say
    objects: int = 0  # prompted
    first_stamp_ns: int | None = None  # of the recorded frames
    last_stamp_ns: int | None = None
    steps: int = 0  # of the optimiser
    steps_planned: int = 0  # 0 while the warm-up goes on
    losses: Losses | None = None  # of the last step

    def status(self) -> dict[str, Any]:
        """Return what a session's status says of it."""
        return {
            'warm_up_frames': self.frames,
            'objects': self.objects,
            'adaptation_steps': self.steps,
            'adaptation_steps_planned': self.steps_planned,
            'losses': vars(self.losses) if self.losses else {},
        }


class Lessons:
    """The optimiser steps that follow from one warm-up, one at a time.

    A copy of the head that teaches learns.  While the warm-up goes on steps are taken where
    ``adaptation.when`` says so; ``plan`` adds those that are left once it has ended.
    """

    def __init__(
        self, first_head: Callable[[], Head], rule: AdaptationSettings,
        sample_of: Callable[[int], Sample], matches: bool = False,
    ) -> None:
        """``sample_of`` returns a tracked frame, by its number, with its targets so far.

        ``first_head`` returns the head that teaches, asked for at the first step.
        ``matches``: the add-on starts matched to the frames instead of as it came.
        """
        self._first_head = first_head
        self._rule = rule
        self._sample_of = sample_of
        self._matches = matches
        self._known = 1  # frames that samples can be had of
        self._adapter: Adapter | None = None
        self._rounds = 0  # begun while warming up
        self._due: deque[int] = deque()  # frames to learn from next
        self._stop: EarlyStop | None = None

    @property
    def left(self) -> int:
        """Steps that are due; those of the rounds to come are not counted."""
        return len(self._due)

    def may_begin(self, tracked: int) -> bool:
        """Whether a step can be taken during the warm-up, when so many frames are tracked."""
        if self._rule.when == 'after_warm_up' or self._rule.passes == 0:
            return False
        # The newest frame waits until the objects prompted on it have been tracked back.
        return bool(self._due) or self._rounds < tracked - 1

    def plan(self, samples: Sequence[Sample], held_out: int = 0) -> int:
        """Make all that is left to learn due, from ``samples`` with their final targets.

        The last ``held_out`` of them are left out, unless they have been learnt from while warming
        up.

        Returns how many steps the lessons have altogether, those taken before among them.
        """
        passes, frames = self._rule.passes, len(samples)
        if self._rule.when == 'after_warm_up':
            frames -= held_out
        self._known = max(frames, 1)
        if self._rule.when == 'after_warm_up':
            self._due.extend(t for _ in range(passes) for t in range(frames))
        else:
            for number in range(self._rounds, frames + passes - 1):
                self._due.extend(round_of(number, passes, frames))
        self._sample_of = samples.__getitem__
        if self._rule.early_stop and frames < len(samples):
            self._stop = EarlyStop(samples, held_out)
        return passes * frames

    def step(self) -> Losses:
        """Take the next step, of a new round where none is due; return its losses."""
        if not self._due:
            self._due.extend(round_of(self._rounds, self._rule.passes, self._rounds + 1))
            self._rounds += 1
            self._known = max(self._known, self._rounds)
        losses = self._learner().step(self._sample_of(self._due.popleft()))
        a_pass_is_over = len(self._due) % self._known == 0
        if self._stop is not None and a_pass_is_over and self._stop.has_risen(self._learner()):
            self._due.clear()
        return losses

    def head(self, part: float = 1.0) -> Head:
        """Return the head as far as it has learnt, by its ``learnt_share``; it learns no more.

        Of that share it takes a ``part``, 0..1.
        """
        adapter, share = self._learner(), part * self._rule.learnt_share
        learnt = adapter.head.requires_grad_(False).eval()
        if share == 1:
            return learnt
        between = copy.deepcopy(adapter.before)
        after = learnt.state_dict()
        between.load_state_dict({
            name: value.lerp(after[name], share) if value.is_floating_point() else after[name]
            for name, value in adapter.before.state_dict().items()})
        return between

    def _learner(self) -> Adapter:
        """Return the adapter, made at the first step: until then it takes no memory."""
        if self._adapter is None:
            head = copy.deepcopy(self._first_head())
            if self._matches:
                ts = range(0, self._known, -(-self._known // matching.FRAMES))
                matching.match_features(head, (self._sample_of(t).features for t in ts))
            self._adapter = Adapter(head, self._rule)
        return self._adapter


class EarlyStop:
    """Looks after each pass at frames that are not learnt from; the best pass stays."""

    def __init__(self, samples: Sequence[Sample], held_out: int) -> None:
        """Of ``samples`` the last ``held_out`` > 0 are not learnt from."""
        self._samples = samples  # each is made when it is asked for
        self._ts = range(len(samples) - held_out, len(samples), -(-held_out // STOP_FRAMES))
        self._least: float | None = None
        self._best: dict[str, Any] = {}

    def has_risen(self, adapter: Adapter) -> bool:
        """Whether the loss is larger than after the pass before, whose head is in force then."""
        loss = sum(adapter.loss(self._samples[t]) for t in self._ts) / len(self._ts)
        if self._least is not None and loss > self._least:
            adapter.head.load_state_dict(self._best)
            return True
        self._least, self._best = loss, copy.deepcopy(adapter.head.state_dict())
        return False


def round_of(number: int, passes: int, frames: int) -> range:
    """Frames to learn from in a round of learning while warming up.

    Round t follows frame t and takes the last ``passes`` frames up to it; rounds go on after the
    last frame, until every frame has been taken ``passes`` times.
    """
    return range(max(number - passes + 1, 0), min(number + 1, frames))
