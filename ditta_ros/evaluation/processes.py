"""Many streams at once: one process per core with one thread each."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

import torch
from rich.console import Console
from rich.progress import Progress

Job = TypeVar('Job')
Result = TypeVar('Result')


def run_all(
    function: Callable[[Job], Result], jobs: Sequence[Job], processes: int,
    advance: Callable[[], None],
) -> list[Result]:
    """Call ``function`` with every job; return the results in the jobs' order.

    ``advance`` is called as each job ends.  The first error, or Ctrl-C, drops the jobs that have
    not begun and is raised.
    """
    # Spawned: torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context('spawn'), _begin)
    try:
        futures = [pool.submit(function, job) for job in jobs]
        for future in as_completed(futures):
            future.result()
            advance()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """Have this process end as soon as the one that started it has, even if that was killed.

    Else it would compute on, for nobody.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()


def run_with_bar(
    function: Callable[[Job], Result], jobs: Sequence[Job], processes: int, console: Console,
) -> list[Result]:
    """Do as :func:`run_all` and show how many streams are done: a bar, or lines in a log file."""
    with Progress(console=console) as progress:
        task = progress.add_task(f'{len(jobs)} streams', total=len(jobs))

        def advance() -> None:
            progress.advance(task)
            if not console.is_terminal:  # there the bar is drawn when all is over, not before
                done = int(progress.tasks[task].completed)
                console.print(f'stream {done} of {len(jobs)}', highlight=False)

        return run_all(function, jobs, processes, advance)


def _begin() -> None:
    torch.set_num_threads(1)
    end_with_parent()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # of a process that has been started by another
    parent.join()
    os._exit(1)
