"""The real node as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

STOP_TIMEOUT_S = 60.0
LOG_TAIL_LINES = 12


class NodeError(RuntimeError):
    """The node did not do its part; the message ends with the last lines of its log."""


class NodeProcess:
    """``python -m ditta_ros.ros.node`` with parameters; a context manager that stops it.

    ``environment`` is the process's whole environment; standard output and error go to
    ``log_path``.
    """

    def __init__(
        self, parameters: Mapping[str, Any], environment: Mapping[str, str], log_path: Path,
    ) -> None:
        self.log_path = log_path
        self._command = [sys.executable, '-m', 'ditta_ros.ros.node', '--ros-args']
        for name, value in parameters.items():
            # JSON is YAML, which is what ROS reads; it keeps 25.0 a double and quotes texts.
            self._command += ['-p', f'{name}:={json.dumps(value)}']
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> NodeProcess:
        with self.log_path.open('wb') as log:
            # Its own process group: Ctrl-C reaches this process alone, which then stops the node.
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Raise NodeError where the node has ended."""
        assert self._process is not None, 'use NodeProcess as a context manager'
        code = self._process.poll()
        if code is not None:
            raise NodeError(f'the node ended with exit code {code}: {self.log_tail()}')

    def stop(self) -> int:
        """Stop the node as Ctrl-C would and return its exit code; negative: a signal's number.

        A node that does not end within ``STOP_TIMEOUT_S`` is killed, and the code says so.
        """
        assert self._process is not None, 'use NodeProcess as a context manager'
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def log_tail(self) -> str:
        """Return the last lines of the node's log."""
        lines = self.log_path.read_text(errors='replace').splitlines()
        return '\n'.join(['', *lines[-LOG_TAIL_LINES:], f'(all of it: {self.log_path})'])
