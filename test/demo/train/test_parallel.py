"""Two processes train as one: their gradients are averaged."""

from __future__ import annotations

from pathlib import Path

import torch

from ditta_ros.demo.train.parallel import Worker, run


def average(worker: Worker, folder: Path) -> None:
    """The first process has gradient 1, the second 3; the other parameter has one on one side."""
    both, one = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(3))
    both.grad = torch.full((2,), 1.0 + 2 * worker.rank)
    if worker.rank == 1:
        one.grad = torch.full((3,), 4.0)
    worker.average_gradients([both, one])
    torch.save([both.grad, one.grad], folder / f'{worker.rank}.pt')


def test_gradients_are_averaged_over_the_processes(tmp_path: Path) -> None:
    run(average, 2, 'cpu', tmp_path)
    for rank in range(2):
        both, one = torch.load(tmp_path / f'{rank}.pt', weights_only=True)
        assert both.tolist() == [2.0] * 2
        assert one.tolist() == [2.0] * 3
