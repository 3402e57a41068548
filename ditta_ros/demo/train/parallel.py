"""Data-parallel training on the CPU: one single-threaded process per core, averaged gradients.

One thread per process is steadier than two threads in one: the networks are so small that most
of an operation's time is its start.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.distributed as dist
import torch.multiprocessing as mp


@dataclass(frozen=True)
class Worker:
    """One process's place among the processes that train one model."""

    rank: int
    world_size: int
    device: str = 'cpu'

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes; none counts as zero."""
        if self.world_size == 1:
            return
        listed = list(parameters)
        flat = torch.cat([
            (torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in listed])
        dist.all_reduce(flat)
        flat /= self.world_size
        offset = 0
        for parameter in listed:
            parameter.grad = flat[offset:offset + parameter.numel()].view_as(parameter)
            offset += parameter.numel()


def run(function: Callable[..., None], processes: int, device: str, *args: Any) -> None:
    """Call ``function(worker, *args)`` in ``processes`` processes; in this one on a GPU."""
    if device != 'cpu':
        function(Worker(0, 1, device), *args)
        return
    # glibc hands large blocks back to the kernel at every free; each step would fault them in
    # again, which cost 14 % of the time.  Read at process start, hence set for the children.
    environment = {'MALLOC_MMAP_MAX_': '0', 'MALLOC_TRIM_THRESHOLD_': '8000000000',
                   'OMP_NUM_THREADS': '1'}
    with tempfile.TemporaryDirectory() as folder, _environment(environment):
        mp.spawn(_enter, (processes, Path(folder) / 'rendezvous', function, args), processes)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for the children that are started meanwhile, and for no others."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _enter(
    rank: int, processes: int, rendezvous: Path, function: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if processes > 1:
        dist.init_process_group('gloo', init_method=f'file://{rendezvous}', rank=rank,
                                world_size=processes)
    try:
        function(Worker(rank, processes), *args)
    finally:
        if processes > 1:
            dist.destroy_process_group()
