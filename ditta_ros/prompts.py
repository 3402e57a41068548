"""Where to prompt the mask tracker: the most reliable pixel of each class (supplement A2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.labels import unlabelled_in
from ditta_ros.regions import regions


@dataclass(frozen=True)
class Prompt:
    """One click that starts an object: pixel (``x_px``, ``y_px``) of warm-up frame ``t``."""

    object_id: int  # from 1 on, in the order of prompting
    t: int  # index of the frame in the warm-up, from 0 on
    x_px: int  # column
    y_px: int  # row
    class_id: int  # the class whose peak it is; the vote may decide on another one


def propose(
    label: Tensor, reliability: Tensor, occupied: Tensor | None, tau: float, margin_px: int,
    first_object_id: int, room: int, t: int, *, each_region: bool = False,
    second_choice: bool = False, min_region_px: int = 0,
) -> list[Prompt]:
    """Prompt every class's most reliable pixel that is reliable enough and not yet tracked.

    ``label`` [H, W] and ``reliability`` float32 [H, W] in 0..1 are the frozen segmenter's;
    ``occupied`` bool [H, W] is the union of all masks tracked so far, None on the first frame.
    A peak counts from ``tau`` on and must be more than ``margin_px`` (L1) away from ``occupied``;
    where it is not, the class has no prompt on this frame.  Of equal pixels the first in row-major
    order is the peak; of equal peaks the lower class comes first.

    Beyond the paper: ``each_region`` prompts the peak of every connected region of a class instead
    of the class's; with ``second_choice`` a peak is looked for among the pixels that are far
    enough from ``occupied``; regions of less than ``min_region_px`` have no peak.

    Returns at most ``room`` prompts in order of decreasing reliability, numbered from
    ``first_object_id`` on.
    """
    _, width = label.shape
    covered = None if occupied is None else dilate(occupied, margin_px)
    parts = _parts(label, each_region, min_region_px)
    if second_choice and covered is not None:
        parts = parts._replace(part=parts.part.masked_fill(covered, len(parts.class_id)))
    peak, position = _peaks(parts, reliability)
    wanted = peak >= tau  # [K]; a part that is not there has no peak, -inf
    if covered is not None:
        wanted &= ~covered.flatten()[position.clamp_max(covered.numel() - 1)]
    order = peak.argsort(descending=True, stable=True)
    chosen = order[wanted[order]][:room]  # parts
    return [
        Prompt(first_object_id + rank, t, at % width, at // width, class_id)
        for rank, (class_id, at) in enumerate(zip(
            parts.class_id[chosen].tolist(), position[chosen].tolist(), strict=True))]


def occupied_by(masks: Mapping[int, Tensor]) -> Tensor | None:
    """Return the union of objects' masks, bool [H, W], as ``propose`` takes it; None of none."""
    return reduce(torch.logical_or, masks.values()) if masks else None


def dilate(mask: Tensor, margin_px: int) -> Tensor:
    """Grow a bool mask [H, W] by an L1 ball (a diamond) of radius ``margin_px``.

    It is ``margin_px`` dilations by the 3x3 cross.
    """
    grown = mask[None].float()  # [1, H, W]
    for _ in range(margin_px):
        grown = torch.maximum(
            F.max_pool2d(grown, (3, 1), 1, (1, 0)), F.max_pool2d(grown, (1, 3), 1, (0, 1)))
    return grown[0] > 0


class _Parts(NamedTuple):
    """What has one peak each: the classes of an image, or their regions."""

    part: Tensor  # int64 [H, W]; K: none
    class_id: Tensor  # int64 [K]


def _parts(label: Tensor, each_region: bool, min_region_px: int) -> _Parts:
    classes = torch.arange(unlabelled_in(label), device=label.device)
    if not each_region and min_region_px == 0:
        return _Parts(label.long(), classes)  # unlabelled is the number after the last class
    split = regions(label)
    large = F.pad(split.area_px >= min_region_px, (0, 1))  # the last for -1, unlabelled
    part, class_id = (split.region, split.class_id) if each_region else (label.long(), classes)
    return _Parts(torch.where(large[split.region], part, len(class_id)), class_id)


def _peaks(parts: _Parts, reliability: Tensor) -> tuple[Tensor, Tensor]:
    """Return each part's highest reliability and the first pixel that has it, one of each."""
    part, reliability = parts.part.flatten(), reliability.flatten()
    count = len(parts.class_id)
    none = torch.full((count + 1,), float('-inf'), device=part.device)
    peak = none.scatter_reduce(0, part, reliability, 'amax')
    pixel = torch.arange(len(part), device=part.device)
    # Pixels below their part's peak stand behind all others.
    rank = torch.where(reliability == peak[part], pixel, len(part))
    position = torch.full_like(none, len(part), dtype=torch.long).scatter_reduce(
        0, part, rank, 'amin')
    return peak[:count], position[:count]
