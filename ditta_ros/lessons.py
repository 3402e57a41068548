"""In which order the decode head learns from the frames of a warm-up, and how far that is."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ditta_ros.adaptation import Adapter, Losses, Sample
from ditta_ros.segmenter import Head
from ditta_ros.settings import AdaptationSettings


@dataclass(frozen=True)
class Progress:
    """How far a warm-up and the learning from it have come, or had when they ended."""

    frames: int = 0  # recorded
    objects: int = 0  # prompted
    first_stamp_ns: int | None = None  # of the recorded frames
    last_stamp_ns: int | None = None
    steps: int = 0  # of the optimiser
    steps_planned: int = 0  # 0 while the warm-up goes on
    losses: Losses | None = None  # of the last step


class Lessons:
    """The optimiser steps that follow from one warm-up, one at a time.

    A copy of the frozen head learns.  While the warm-up goes on steps are taken where
    ``adaptation.when`` says so; ``plan`` adds those that are left once it has ended.
    """

    def __init__(
        self, frozen_head: Head, rule: AdaptationSettings, sample_of: Callable[[int], Sample],
    ) -> None:
        """``sample_of`` returns a tracked frame, by its number, with its targets so far."""
        self._frozen_head = frozen_head
        self._rule = rule
        self._sample_of = sample_of
        self._adapter: Adapter | None = None
        self._rounds = 0  # begun while warming up
        self._due: deque[int] = deque()  # frames to learn from next

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

    def plan(self, samples: Sequence[Sample]) -> int:
        """Make all that is left to learn due, from ``samples`` with their final targets.

        Returns how many steps the lessons have altogether, those taken before among them.
        """
        passes, frames = self._rule.passes, len(samples)
        if self._rule.when == 'after_warm_up':
            self._due.extend(t for _ in range(passes) for t in range(frames))
        else:
            for number in range(self._rounds, frames + passes - 1):
                self._due.extend(round_of(number, passes, frames))
        self._sample_of = samples.__getitem__
        return passes * frames

    def step(self) -> Losses:
        """Take the next step, of a new round where none is due; return its losses."""
        if not self._due:
            self._due.extend(round_of(self._rounds, self._rule.passes, self._rounds + 1))
            self._rounds += 1
        return self._learner().step(self._sample_of(self._due.popleft()))

    def head(self) -> Head:
        """Return the head as far as it has learnt; it learns no more."""
        return self._learner().head.requires_grad_(False).eval()

    def _learner(self) -> Adapter:
        """Return the adapter, made at the first step: until then it takes no memory."""
        if self._adapter is None:
            self._adapter = Adapter(copy.deepcopy(self._frozen_head), self._rule)
        return self._adapter


def round_of(number: int, passes: int, frames: int) -> range:
    """Frames to learn from in a round of learning while warming up.

    Round t follows frame t and takes the last ``passes`` frames up to it; rounds go on after the
    last frame, until every frame has been taken ``passes`` times.
    """
    return range(max(number - passes + 1, 0), min(number + 1, frames))
