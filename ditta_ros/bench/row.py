"""One line of the bench's table, and the case that measures some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Tick = Callable[[str], None]
"""Told what a case does now, for the display of progress."""


class Skipped(Exception):  # noqa: N818 - an outcome, not a fault
    """A case cannot be measured on this machine; the message says why."""


@dataclass(frozen=True)
class Row:
    """One figure of ours beside one of the plain way, both from the same run."""

    name: str
    setting: str  # model, size, precision: what else the figures depend on
    ours: float | None = None  # in `unit`; None: not measured, `note` says why
    theirs: float | None = None  # in `unit`; None: there is nothing to compare with
    unit: str = ''
    against: str = ''  # what `theirs` is
    gain: bool = False  # the ratio is theirs / ours (how many times less), not ours / theirs
    bar: str = ''  # what the project promises: '<= 1.15'; '': nothing
    bar_on: Literal['ratio', 'ours'] = 'ratio'
    spread: tuple[float, float] | None = None  # smallest and largest ratio of one round
    note: str = ''

    @property
    def ratio(self) -> float | None:
        """Return ours / theirs, or theirs / ours where that is the gain."""
        above, below = (self.theirs, self.ours) if self.gain else (self.ours, self.theirs)
        return above / below if above is not None and below else None

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None where there is none or nothing was measured."""
        value = self.ratio if self.bar_on == 'ratio' else self.ours
        if not self.bar or value is None:
            return None
        sense, limit = self.bar.split()
        return value <= float(limit) if sense == '<=' else value >= float(limit)

    def as_json(self) -> dict[str, Any]:
        """Return every field with the ratio and whether the bar is met."""
        return {**vars(self), 'ratio': self.ratio, 'met': self.met}


@dataclass(frozen=True)
class Case:
    """What is measured at once: rows that share a model, a size and a precision."""

    title: str
    measure: Callable[[Tick], list[Row]]  # raises Skipped, or torch.OutOfMemoryError
