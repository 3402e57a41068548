"""What a spawned training process runs in a test: it must be importable there."""

from __future__ import annotations

from pathlib import Path

import torch

from ditta_ros.demo.train.parallel import Worker


def average(worker: Worker, folder: Path) -> None:
    """Average gradients 1 and 3 of one parameter, and 4 of one that has none in the other."""
    both, one = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))
    both.grad = torch.full((2,), 1.0 + 2 * worker.rank)
    if worker.rank == 1:
        one.grad = torch.full((3,), 4.0)
    worker.average_gradients([both, one])
    torch.save([both.grad, one.grad], folder / f'{worker.rank}.pt')
