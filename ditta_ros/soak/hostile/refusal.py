"""What a reader may answer to a hostile input."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Feed = Callable[[Random], bool]
"""Makes one input and reads it: True where it was read, False where it was refused."""

MOST_CHARACTERS = 100_000  # of an error: it may repeat its input, but not many times over


class WrongAnswerError(AssertionError):
    """A reader read what it must refuse, or refused it in a way that helps nobody."""


def refused(error: Exception) -> bool:
    """Return False, for ``Feed``; raises WrongAnswerError unless ``error`` is one line.

    It must also be text that a ROS message can carry, whatever the input had in it.
    """
    said = str(error)
    if '\n' in said or not said.strip() or len(said) > MOST_CHARACTERS:
        raise WrongAnswerError(f'an error is one line, got {said[:200]!r}') from error
    try:
        said.encode()
    except UnicodeEncodeError:
        raise WrongAnswerError(f'an error is UTF-8, got {said[:200]!r}') from None
    return False
