"""SIGINT and SIGTERM as one KeyboardInterrupt, and then no more."""

from __future__ import annotations

import signal
from types import FrameType


def raise_on_interrupt() -> None:
    """Make the first SIGINT or SIGTERM raise KeyboardInterrupt in the main thread."""
    # SIGINT, too: Python leaves it ignored in a process that a shell started in the background.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)


def ignore_interrupts() -> None:
    """Let the clearing up finish: in a terminal a launched node gets the same interrupt twice."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)


def _interrupt(_: int, __: FrameType | None) -> None:
    ignore_interrupts()
    raise KeyboardInterrupt
