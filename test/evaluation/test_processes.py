"""Processes of this machine: they answer in order, and none outlives the one that started it."""

from __future__ import annotations

import io
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from rich.console import Console

from ditta_ros.evaluation.processes import run_all, run_with_bar

LONG_S = 120.0  # longer than all patience
PATIENCE_S = 40.0  # with a machine that has much else to do


def sleep_long(folder: str) -> None:
    """Tell this process's number in ``folder``, and compute for long."""
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(LONG_S)


def test_results_come_in_the_order_of_the_jobs() -> None:
    ended: list[None] = []
    assert run_all(operator.neg, [3, 1, 2], 2, lambda: ended.append(None)) == [-3, -1, -2]
    assert len(ended) == 3


def test_a_log_file_is_told_of_each_stream() -> None:
    log = io.StringIO()
    assert run_with_bar(operator.neg, [3, 1], 1, Console(file=log)) == [-3, -1]
    assert [line for line in log.getvalue().splitlines() if line.startswith('stream')] == [
        'stream 1 of 2', 'stream 2 of 2']


def test_none_goes_on_when_the_one_that_started_them_was_killed(tmp_path: Path) -> None:
    program = ('import sys\n'
               'from test_processes import sleep_long\n'
               'from ditta_ros.evaluation.processes import run_all\n'
               'if __name__ == "__main__":\n'
               '    run_all(sleep_long, sys.argv[1:], 2, lambda: None)\n')
    script = tmp_path / 'program.py'
    script.write_text(program)
    folder = tmp_path / 'numbers'
    folder.mkdir()
    first = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(folder)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [str(Path(__file__).parent), *filter(None, sys.path)])})
    try:
        assert _within(lambda: len(list(folder.iterdir())) == 2)
        workers = [int(each.name) for each in folder.iterdir()]
        assert all(psutil.pid_exists(pid) for pid in workers)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert _within(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _within(holds) -> bool:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
