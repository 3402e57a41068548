"""Functions that wait for the thread that may use the session."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import cv2

from ditta_ros import faults

T = TypeVar('T')

# Anything else is a mistake in the program.
FAULTS = (*faults.FAULTS, cv2.error)


class Calls:
    """A queue of functions, each with the future of what it returns.

    One thread may ``add`` while another does ``run``.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[Any], Any], Future[Any]]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, function: Callable[[Any], T]) -> Future[T]:
        """Let ``function`` wait for ``run``."""
        future: Future[T] = Future()
        self._waiting.append((function, future))
        return future

    def run(self, argument: Any) -> None:
        """Call all that wait, in order.  What one raises of ``FAULTS`` is its future's."""
        while self._waiting:
            function, future = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(argument))
            except FAULTS as error:
                future.set_exception(error)
            finally:
                if not future.done():
                    future.set_exception(RuntimeError(
                        'the call ended with a mistake in the program, which the log shows'))

    def cancel(self) -> None:
        """Cancel all that wait: nobody will run them."""
        while self._waiting:
            self._waiting.popleft()[1].cancel()
