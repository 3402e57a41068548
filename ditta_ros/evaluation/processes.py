"""Many streams at once: one process per core with one thread each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

import torch

Job = TypeVar('Job')
Result = TypeVar('Result')


def run_all(
    function: Callable[[Job], Result], jobs: Sequence[Job], processes: int,
    advance: Callable[[], None],
) -> list[Result]:
    """Call ``function`` with every job; return the results in the jobs' order.

    ``advance`` is called as each job ends.  The first error ends everything and is raised.
    """
    # Spawned: torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context('spawn'), torch.set_num_threads, (1,))
    with pool:
        futures = [pool.submit(function, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
