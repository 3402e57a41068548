"""Python in a process of its own, for what might end this one, or never end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT_S = 60.0
# Left by ROS wheels; with it a child would not look for its ROS libraries again.
WHEELS_MARK = '_ROS_WHEELS_BOOTSTRAP_COMPLETE'


@dataclass(frozen=True)
class Answer:
    """What a child printed, and how it ended: 0, an error's code, or minus a signal's number."""

    code: int
    out: str
    err: str

    @property
    def why(self) -> str:
        """The last line that it said, or how it ended."""
        lines = self.err.strip().splitlines() or self.out.strip().splitlines()
        ended = f'killed by signal {-self.code}' if self.code < 0 else f'exit code {self.code}'
        return lines[-1].strip() if lines else ended


def ask(
    *arguments: str, environ: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Run this Python with ``arguments`` in ``environ``, by default this process's environment."""
    child = dict(os.environ if environ is None else environ)
    child.pop(WHEELS_MARK, None)
    try:
        done = subprocess.run(
            [sys.executable, *arguments], env=child, text=True, errors='replace', check=False,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return Answer(124, '', f'no answer within {timeout_s:g} s')
    return Answer(done.returncode, done.stdout, done.stderr)
