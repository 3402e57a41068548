"""The add-on's window attention (Eq. 1) in tiles against the dense form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psutil
import torch
from torch import Tensor

from ditta_ros.bench.apart import compare
from ditta_ros.bench.options import Options, precision
from ditta_ros.bench.row import Case, Row, Skipped, Tick
from ditta_ros.temporal import WINDOW_RADIUS, attend

ROUNDS = 2  # the dense form takes long and is the same every time
# At their peak: scores and weights in float32, masks and what they are made of in bytes; and room.
DENSE_BYTES = 18


@dataclass(frozen=True)
class Grid:
    """Shapes and precision of one comparison; the defaults are those of the project's promise."""

    height: int = 120
    width: int = 216
    dim: int = 256
    classes: int = 124
    dtype: str = 'fp32'


def cases(options: Options) -> list[Case]:
    """Return one case for each precision."""
    grids = [Grid(classes=options.classes, dtype=dtype) for dtype in options.dtypes]
    return [
        Case(f'attention {_setting(grid)}', partial(measure, grid, options)) for grid in grids]


def measure(grid: Grid, options: Options, tick: Tick) -> list[Row]:
    """Return time, peak memory and difference; raises Skipped where memory is short."""
    device = options.device
    needed = DENSE_BYTES * (grid.height * grid.width) ** 2
    free = psutil.virtual_memory().available
    if device.type == 'cuda':
        free, _ = torch.cuda.mem_get_info(device)
    if free < needed:
        raise Skipped(
            f'the dense form needs {needed / 1e9:.0f} GB of memory, {free / 1e9:.1f} GB are free')
    small = replace(grid, height=16, width=48)
    pair = compare(
        prepare_tiled, prepare_dense, grid, small, device, min(options.repeats, ROUNDS), tick)
    promised = device.type == 'cpu' and grid == Grid()
    fields: dict[str, Any] = {'setting': _setting(grid), 'against': 'dense attention'}
    return [
        pair.time(
            name='window attention', gain=True, bar='>= 30' if promised else '', **fields),
        pair.peak(
            name='window attention, peak memory', gain=True, bar='>= 40' if promised else '',
            **fields),
        pair.difference(
            name='window attention, largest difference',
            bar='<= 1e-4' if grid.dtype == 'fp32' else '', **fields),
    ]


def prepare_tiled(grid: Grid, device: torch.device) -> Callable[[], Tensor]:
    """Make inputs for the product's attention."""
    return _prepared(attend, grid, device)


def prepare_dense(grid: Grid, device: torch.device) -> Callable[[], Tensor]:
    """Make the same inputs for the dense form."""
    return _prepared(dense, grid, device)


def dense(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend from all positions to all, the window as a mask: shapes as in ``attend``."""
    height, width = query.shape[-2:]
    rows, columns = (_far(count, query.device) for count in (height, width))
    far = rows[:, None, :, None] | columns[None, :, None, :]  # [h, w, h, w]
    score = query.flatten(2).mT @ key.flatten(2)  # [B, h w, h w]
    score.masked_fill_(far.flatten(2).flatten(0, 1), -math.inf)
    return (score.softmax(-1) @ value.flatten(2).mT).mT.unflatten(2, (height, width))


def _far(count: int, device: torch.device) -> Tensor:
    """Which of ``count`` positions along an axis do not see which: bool [count, count]."""
    position = torch.arange(count, device=device)
    return (position[:, None] - position).abs() > WINDOW_RADIUS


def _prepared(
    attention: Callable[[Tensor, Tensor, Tensor], Tensor], grid: Grid, device: torch.device,
) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(0)
    size = (grid.height, grid.width)
    query, key, value = (
        # Channels last in memory, as the head's layers leave them.
        torch.randn((1, *size, channels), generator=generator).to(device).movedim(-1, 1)
        for channels in (grid.dim, grid.dim, grid.classes))

    def call() -> Tensor:
        with torch.no_grad(), precision(grid.dtype, device):
            return attention(query, key, value)

    return call


def _setting(grid: Grid) -> str:
    return f'{grid.height}x{grid.width} D {grid.dim} C {grid.classes} {grid.dtype}'
