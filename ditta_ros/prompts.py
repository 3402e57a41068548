"""Where to prompt the mask tracker: the most reliable pixel of each class (supplement A2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.labels import unlabelled_in


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
    first_object_id: int, room: int, t: int,
) -> list[Prompt]:
    """Prompt every class's most reliable pixel that is reliable enough and not yet tracked.

    ``label`` [H, W] and ``reliability`` float32 [H, W] in 0..1 are the frozen segmenter's;
    ``occupied`` bool [H, W] is the union of all masks tracked so far, None on the first frame.
    A peak counts from ``tau`` on and must be more than ``margin_px`` (L1) away from ``occupied``;
    where it is not, the class has no prompt on this frame.  Of equal pixels the first in row-major
    order is the peak; of equal peaks the lower class comes first.

    Returns at most ``room`` prompts in order of decreasing reliability, numbered from
    ``first_object_id`` on.
    """
    _, width = label.shape
    peak, position = _peaks(label, reliability)
    wanted = peak >= tau  # [255], or wide [65535]; a class that is not there has no peak, -inf
    if occupied is not None:
        covered = dilate(occupied, margin_px).flatten()
        wanted &= ~covered[position.clamp_max(covered.numel() - 1)]
    order = peak.argsort(descending=True, stable=True)
    chosen = order[wanted[order]][:room]  # classes
    return [
        Prompt(first_object_id + rank, t, at % width, at // width, class_id)
        for rank, (class_id, at) in enumerate(
            zip(chosen.tolist(), position[chosen].tolist(), strict=True))]


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


def _peaks(label: Tensor, reliability: Tensor) -> tuple[Tensor, Tensor]:
    """Return each class's highest reliability and the first pixel that has it.

    One of each for every class that ``label`` can hold.
    """
    unlabelled = unlabelled_in(label)
    label, reliability = label.flatten().long(), reliability.flatten()
    none = torch.full((unlabelled + 1,), float('-inf'), device=label.device)
    peak = none.scatter_reduce(0, label, reliability, 'amax')
    pixel = torch.arange(len(label), device=label.device)
    # Pixels below their class's peak stand behind all others.
    rank = torch.where(reliability == peak[label], pixel, len(label))
    position = torch.full_like(none, len(label), dtype=torch.long).scatter_reduce(
        0, label, rank, 'amin')
    return peak[:unlabelled], position[:unlabelled]
