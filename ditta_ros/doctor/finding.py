"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How good a finding is."""

    OK = 'ok'
    NOTE = 'note'  # works, but not all, or not as well as it might
    PROBLEM = 'problem'  # the node, or its camera, will not do its work


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was looked at, what was seen, and what mends it.

    A problem has a ``remedy``: a command, or where none can do it, a sentence.
    """

    name: str
    state: State
    seen: str
    remedy: str = ''

    def __post_init__(self) -> None:
        if self.state is State.PROBLEM and not self.remedy:
            raise ValueError(f'a problem needs a remedy, got none for {self.name!r}: {self.seen}')


def ok(name: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(name, State.OK, seen)


def note(name: str, seen: str, remedy: str = '') -> Finding:
    """Something to know."""
    return Finding(name, State.NOTE, seen, remedy)


def problem(name: str, seen: str, remedy: str) -> Finding:
    """Something to mend."""
    return Finding(name, State.PROBLEM, seen, remedy)
