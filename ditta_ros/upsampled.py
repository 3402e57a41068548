"""Class maps on the image grid, band by band: never all classes of the whole image at once."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.segmenter import interpolation

# Values of a band, of all its classes.  Small enough for a processor's cache, large enough that
# starting an operation costs little beside it: on a busy machine, each waits for all its threads.
BAND_VALUES_CPU, BAND_VALUES_GPU = 2 ** 20, 2 ** 24


class Upsampling:
    """Bilinear upsampling of class maps in bands of image rows, as ``segmenter.upsample`` does.

    ``maps`` are [1, C, h, w] and of one size; a band is float32 [pixels, C] for each of them, its
    pixels row by row.  Rows are interpolated by a product with a matrix, then columns as weighted
    sums of two positions: classes lie side by side in memory, which makes both, and the
    reductions over classes that follow, fast.
    """

    def __init__(self, maps: tuple[Tensor, ...], size_px: tuple[int, int]) -> None:
        classes, height, width = maps[0].shape[1:]
        self.size_px = size_px
        self.classes = classes
        self.grids = [each[0].movedim(0, -1).float().reshape(height, -1) for each in maps]
        self.down = interpolation(height, size_px[0], self.grids[0])  # [H, h]
        across = interpolation(width, size_px[1], self.grids[0])  # [W, w], two weights in a row
        weight, column = across.topk(min(2, width), 1)
        on_gpu = maps[0].device.type != 'cpu'
        values = BAND_VALUES_GPU if on_gpu else BAND_VALUES_CPU
        self.rows = min(max(1, values // (size_px[1] * classes)), size_px[0])  # of a band
        first = torch.arange(self.rows, device=column.device)[:, None, None] * width
        self.position = (first + column).flatten(0, 1)  # [pixels, 2] in a band of h x w positions
        self.weight = weight.expand(self.rows, -1, -1).flatten(0, 1)  # [pixels, 2]

    def bands(self) -> Iterator[tuple[slice, list[Tensor]]]:
        """Yield the image rows of a band and the band of each map, from top to bottom."""
        height, scale = self.down.shape[1], self.down.shape[1] / self.size_px[0]
        for first in range(0, self.size_px[0], self.rows):
            rows = slice(first, min(first + self.rows, self.size_px[0]))
            # The rows of the grid that these rows mix, and one more in case of a rounding.
            top = max(int((rows.start + 0.5) * scale - 0.5) - 1, 0)
            below = min(int((rows.stop - 0.5) * scale - 0.5) + 3, height)
            down = self.down[rows, top:below]
            yield rows, [self._across(down @ grid[top:below]) for grid in self.grids]

    def _across(self, band: Tensor) -> Tensor:
        """Interpolate the columns of [rows, w C]: [rows W, C]."""
        pixels = len(band) * self.size_px[1]
        return F.embedding_bag(
            self.position[:pixels], band.view(-1, self.classes), mode='sum',
            per_sample_weights=self.weight[:pixels])
