"""Progress of a training stage, as lines that also read well in a log file."""

from __future__ import annotations

import time
from collections.abc import Callable

# done, of how many, what to say of it
Tell = Callable[[int, int, str], None]


class Progress:
    """Prints a stage's progress: a line every few seconds, with the time it still needs."""

    def __init__(self, stage: str, every_s: float = 5.0) -> None:
        self.stage, self.every_s = stage, every_s
        self.start_s, self.told_s = time.monotonic(), 0.0

    def __call__(self, done: int, steps: int, text: str) -> None:
        """Say that ``done`` of ``steps`` are done; silent where the last line is fresh."""
        now_s = time.monotonic()
        if now_s - self.told_s < self.every_s and done < steps:
            return
        self.told_s, spent_s = now_s, now_s - self.start_s
        left_s = spent_s / done * (steps - done)
        print(f'{self.stage}: {done}/{steps}  {text}  {spent_s / 60:.1f} min, '
              f'{left_s / 60:.1f} min left', flush=True)
