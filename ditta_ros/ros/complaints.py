"""The same complaint, from every frame of a camera, is logged once in a while."""

from __future__ import annotations

import logging
import re
import threading
import time

REPEAT_S = 5.0  # the same text, but for its numbers, is logged this often at most


class Complaints:
    """Logs errors to ``log``, each text every ``REPEAT_S`` at most; for any thread."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def say(self, text: str, error: BaseException | None = None) -> None:
        """Log ``text``, with the traceback of ``error``."""
        now_s, kind = time.monotonic(), re.sub(r'\d+', '#', text)
        with self._lock:
            self._said_s = {
                old: at_s for old, at_s in self._said_s.items() if now_s - at_s < REPEAT_S}
            if kind in self._said_s:
                return
            self._said_s[kind] = now_s
        self._log.error(text, exc_info=error)
