"""Learning with fewer parameters: every layer's change is held to a matrix of low rank.

As LoRA does (Hu et al., 2022) but by projection after each step, so that the head keeps its shape:
files, the average and the share of what was learnt need to know nothing of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ditta_ros.segmenter import Head

ITERATIONS = 2  # of the power method; a change has few directions that count


@torch.no_grad()
def hold_to_rank(head: Head, before: Head, rank: int) -> None:
    """Take the weights of ``head`` to the nearest whose change from ``before`` has ``rank``.

    Biases and norms are vectors, and stay as they are.
    """
    for now, then in zip(head.parameters(), before.parameters(), strict=True):
        if now.dim() > 1 and now.requires_grad:
            now.copy_(then + of_rank((now - then).flatten(1), rank).view_as(now))


def of_rank(change: Tensor, rank: int) -> Tensor:
    """Return the matrix of ``rank`` nearest to ``change`` [M, N], nearly; the same each time."""
    if rank >= min(change.shape):
        return change
    # Any start does that has something of the directions that count; this one draws no chance.
    start = torch.randn(
        (change.shape[1], rank), generator=torch.Generator().manual_seed(0)).to(change)
    axes = torch.linalg.qr(change @ start).Q
    for _ in range(ITERATIONS):
        axes = torch.linalg.qr(change @ torch.linalg.qr(change.T @ axes).Q).Q
    return axes @ (axes.T @ change)
