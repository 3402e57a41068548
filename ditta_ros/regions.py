"""The connected regions of a label map."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ditta_ros.labels import unlabelled_in


class Regions(NamedTuple):
    """Pixels of one class that touch at their sides, region by region.

    Regions are numbered from 0 on, class by class, the lowest first.
    """

    region: Tensor  # int64 [H, W]; -1 where a pixel is unlabelled
    class_id: Tensor  # int64 [K]
    area_px: Tensor  # int64 [K]


def regions(label: Tensor) -> Regions:
    """Split ``label`` [H, W] into its regions, on the CPU; what comes is on the label's device."""
    classes = label.cpu().numpy()
    region = np.full(classes.shape, -1, np.int64)
    class_ids: list[int] = []
    for class_id in np.unique(classes).tolist():
        if class_id == unlabelled_in(label):
            continue
        count, part = cv2.connectedComponents(
            (classes == class_id).astype(np.uint8), connectivity=4)
        region[part > 0] = part[part > 0] - 1 + len(class_ids)
        class_ids += [class_id] * (count - 1)
    area_px = np.bincount(region[region >= 0], minlength=len(class_ids))
    return Regions(*(
        torch.from_numpy(np.asarray(each, np.int64)).to(label.device)
        for each in (region, class_ids, area_px)))
