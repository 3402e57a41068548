"""The colours of a stream, and those that a segmenter was trained on: the one taken to the other.

A camera's exposure, white balance or haze moves all of a picture's colours alike.  Where a
segmenter tells the colours of its training, each channel is shifted and stretched so that the
stream's pictures have their mean and contrast.  It costs nothing: the normalisation that the
segmenter does anyway, (rgb - mean) / std, gets other constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

GRID_SIDE = 32  # cells along the longer side: large enough to average noise away
LEAST_STD = 1 / 255  # of a picture of one colour, which says nothing about contrast


@dataclass(frozen=True)
class Colours:
    """Mean and contrast of pictures, of R, G and B in 0..1.

    ``std`` is the root of the mean variance within a picture, of the averages of cells.  Raises
    ValueError where these are not three numbers each, the latter above 0.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        for name in ('mean', 'std'):
            values = tuple(float(value) for value in getattr(self, name))
            object.__setattr__(self, name, values)
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise ValueError(f'{name} of colours must be three numbers, got {values}')
        if min(self.std) <= 0:
            raise ValueError(f'std of colours must be above 0, got {self.std}')

    @classmethod
    def of(cls, pictures: Sequence[Tensor]) -> Colours:
        """Measure pictures, uint8 [H, W, 3] each; raises ValueError for none."""
        if not pictures:
            raise ValueError('colours are measured on one picture at least, got none')
        cells = [_cells(picture) for picture in pictures]
        mean = torch.stack([each.mean(0) for each in cells]).mean(0)
        variance = torch.stack([each.var(0, correction=0) for each in cells]).mean(0)
        std = variance.sqrt().clamp_min(LEAST_STD)
        return cls(_three(mean), _three(std))


def recolour(picture: Tensor, seen: Colours, wanted: Colours) -> Tensor:
    """Return a picture, uint8 [H, W, 3], in the colours ``wanted`` instead of ``seen``.

    Channel by channel rgb' = (rgb - seen.mean) * wanted.std / seen.std + wanted.mean.
    """
    gain = [theirs / ours for ours, theirs in zip(seen.std, wanted.std, strict=True)]
    offset = [255 * (theirs - ours * by) for ours, theirs, by in zip(
        seen.mean, wanted.mean, gain, strict=True)]
    coloured = picture.float() * picture.new_tensor(gain, dtype=torch.float32)
    coloured += picture.new_tensor(offset, dtype=torch.float32)
    return coloured.round_().clamp_(0, 255).to(torch.uint8)


def part_way(seen: Colours, wanted: Colours, share: float) -> Colours:
    """Return colours that, taken to ``wanted``, are ``seen`` taken a ``share`` of the way there.

    Part of the way, 0..1, a picture has the mean seen.mean + share (wanted.mean - seen.mean) and
    the contrast seen.std^(1 - share) wanted.std^share.
    """
    std = tuple(ours ** share * theirs ** (1 - share) for ours, theirs in zip(
        seen.std, wanted.std, strict=True))
    mean = tuple(ours + (1 - share) * (theirs - ours) * effective / theirs_std
                 for ours, theirs, effective, theirs_std in zip(
                     seen.mean, wanted.mean, std, wanted.std, strict=True))
    return Colours((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))


def recoloured_input(
    mean: Tensor, std: Tensor, seen: Colours, wanted: Colours,
) -> tuple[Tensor, Tensor]:
    """Return the constants of (rgb - mean) / std that recolour, too, [3, 1, 1] each.

    As of a picture that was recoloured first, but nothing is rounded or cut off at black and
    white.
    """
    like = mean.double()
    seen_mean, seen_std, wanted_mean, wanted_std = (
        like.new_tensor(values).view(3, 1, 1)
        for values in (seen.mean, seen.std, wanted.mean, wanted.std))
    gain = wanted_std / seen_std
    return (
        (seen_mean + (mean.double() - wanted_mean) / gain).to(mean),
        (std.double() / gain).to(std))


def _cells(picture: Tensor) -> Tensor:
    """Average a picture [H, W, 3] in cells: float32 [cells, 3] in 0..1."""
    height, width = picture.shape[:2]
    scale = GRID_SIDE / max(height, width)
    grid = (max(round(height * scale), 1), max(round(width * scale), 1))
    rgb = picture.movedim(2, 0)[None].float() / 255  # [1, 3, H, W]
    return F.adaptive_avg_pool2d(rgb, grid)[0].flatten(1).T


def _three(values: Tensor) -> tuple[float, float, float]:
    first, second, third = values.tolist()
    return first, second, third
