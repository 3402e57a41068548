"""What came of a fault that was injected while a camera was streaming."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault: of the frames that the node received, how many were labelled, and what it said.

    ``cause`` is how diagnostics or status named it; '' where they did not.
    """

    name: str
    sent: int
    labelled: int
    cause: str
