"""The class of every tracked object by a vote over the warm-up (Eq. 4), painted into targets."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ditta_ros.labels import label_dtype, unlabelled_in


class Votes:
    """Running sums of the vote: everything Eq. 4 needs of the frames seen so far.

    ``classes`` is C; objects have the ids 1..``max_objects``.
    """

    def __init__(
        self, classes: int, max_objects: int, lambda_area: float = 0.3, lambda_freq: float = 0.8,
        device: torch.device | str = 'cpu',
    ) -> None:
        self.lambda_area = lambda_area
        self.lambda_freq = lambda_freq
        # float64: a warm-up has more pixels than float32 counts exactly.
        shape = (max_objects + 1, classes)
        self.pixels = torch.zeros(shape, dtype=torch.float64, device=device)
        self.reliability = torch.zeros(shape, dtype=torch.float64, device=device)
        self.pixels_per_class = torch.zeros(classes, dtype=torch.long, device=device)

    def count_frame(self, label: Tensor) -> None:
        """Count a frame's labels [H, W] towards rarity; once for every warm-up frame."""
        self.pixels_per_class += torch.bincount(
            label.flatten().long(), minlength=len(self.pixels_per_class))

    def add(self, label: Tensor, reliability: Tensor, masks: Mapping[int, Tensor]) -> None:
        """Add object masks of one frame: object_id -> bool [H, W].

        ``label`` [H, W] and ``reliability`` float32 [H, W] are the frozen segmenter's of the
        same frame.  A frame's masks may come in several calls and in any order of frames (backward
        masks come late), but each mask once.
        """
        if not masks:
            return
        rows, classes = self.pixels.shape
        # Masks overlap, so a pixel has one vote for each object that it belongs to.
        which, pixel = torch.stack(list(masks.values())).flatten(1).nonzero(as_tuple=True)
        ids = torch.tensor(list(masks), device=label.device)
        cell = ids[which] * classes + label.flatten().long()[pixel]
        weights = reliability.flatten().double()[pixel]
        self.pixels += torch.bincount(cell, minlength=rows * classes).view(rows, classes)
        self.reliability += torch.bincount(cell, weights, rows * classes).view(rows, classes)

    def scores(self) -> Tensor:
        """Return alpha (Eq. 4) of every object and class, float32 [max_objects + 1, C].

        alpha = mean reliability * share of the mask ^ lambda_area * rarity ^ lambda_freq; 0 where
        the object has no pixel of the class.  Row 0 (no object) is 0.
        """
        mean = self.reliability / self.pixels.clamp_min(1)
        share = self.pixels / self.pixels.sum(1, keepdim=True).clamp_min(1)
        rarity = 1 - self.pixels_per_class / self.pixels_per_class.sum().clamp_min(1)
        return (mean * share ** self.lambda_area * rarity ** self.lambda_freq).float()


def paint(
    masks: Mapping[int, Tensor], scores: Tensor, size_px: tuple[int, int],
    smallest_on_top: bool = False,
) -> Tensor:
    """Paint one frame's object masks into one map of object ids, int16 [H, W], 0: no object.

    ``masks`` is object_id -> bool [H, W]; ``scores`` is [objects + 1, C].  Objects are painted in
    order of increasing best score, so the best-scored one wins an overlap; of equal ones the
    higher id wins.  With ``smallest_on_top`` the one with the fewest pixels wins, and the score
    decides between equals.
    """
    object_id = torch.zeros(size_px, dtype=torch.int16, device=scores.device)
    best = scores.amax(1).tolist()
    area_px = {index: int(mask.sum()) if smallest_on_top else 0 for index, mask in masks.items()}
    for index in sorted(masks, key=lambda index: (-area_px[index], best[index], index)):
        object_id[masks[index]] = index
    return object_id


def object_label(object_id: Tensor, scores: Tensor) -> Tensor:
    """Label map of a painted frame, [H, W], from object ids [H, W] and scores.

    It is the object's best-scored class (the lowest of equal ones), and unlabelled where there is
    no object or no class has a score above 0.  In ``labels.label_dtype`` of the scores' classes.
    """
    best, class_id = scores.max(1)
    table = class_id.to(label_dtype(scores.shape[1]))
    unlabelled = unlabelled_in(table)
    table = torch.where(best > 0, table, unlabelled)
    table[0] = unlabelled
    return table[object_id.long()]


def pixel_weight(voted: Tensor, reliability: Tensor, unmasked: str) -> Tensor | None:
    """Weight of every pixel in the distillation, float32 [H, W]; None: 1 everywhere.

    ``voted`` [H, W] is a frame's ``object_label``; where it is unlabelled, the segmenter's own
    label is the target, and weighs what ``targets.unmasked`` says: 1 (as_labelled), 0 (ignored)
    or its ``reliability`` float32 [H, W] (by_reliability).
    """
    if unmasked == 'as_labelled':
        return None
    others = torch.zeros_like(reliability) if unmasked == 'ignored' else reliability
    return torch.where(voted == unlabelled_in(voted), others, 1.0)
