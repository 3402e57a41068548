"""Many streams at once: one process per core with one thread each."""

from __future__ import annotations

import multiprocessing
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
        processes, multiprocessing.get_context('spawn'), torch.set_num_threads, (1,))
    try:
        futures = [pool.submit(function, job) for job in jobs]
        for future in as_completed(futures):
            future.result()
            advance()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def run_with_bar(
    function: Callable[[Job], Result], jobs: Sequence[Job], processes: int, console: Console,
) -> list[Result]:
    """Do as :func:`run_all` and show how many streams are done."""
    with Progress(console=console) as progress:
        task = progress.add_task(f'{len(jobs)} streams', total=len(jobs))
        return run_all(function, jobs, processes, lambda: progress.advance(task))
