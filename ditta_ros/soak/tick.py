"""How the parts of the soak tell what they do now."""

from __future__ import annotations

from collections.abc import Callable

Tick = Callable[[str], None]


def silent(_: str) -> None:
    """Tell nobody."""
