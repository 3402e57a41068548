"""Two processes train as one: their gradients are averaged."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ditta_ros.demo.train.parallel import run
from gradient_workers import average


def test_gradients_are_averaged_over_the_processes(tmp_path: Path) -> None:
    environment = dict(os.environ)
    run(average, 2, 'cpu', tmp_path)
    for rank in range(2):
        both, one = torch.load(tmp_path / f'{rank}.pt', weights_only=True)
        assert both.tolist() == [2.0] * 2
        assert one.tolist() == [2.0] * 3
    # Else whatever this process starts later would have one thread, too.
    assert dict(os.environ) == environment
