"""Small heads and samples to learn from."""

from __future__ import annotations

import torch

from ditta_ros.adaptation import Sample
from ditta_ros.segmenter import Features, Head

SIZE_PX = (40, 56)
WIDTHS, DIM, CLASSES = (4, 6, 8, 10), 12, 5


def features_of(seed: int) -> Features:
    generator = torch.Generator().manual_seed(seed)
    first, second, third, fourth = (
        torch.randn((1, width, height, columns), generator=generator)
        for width, (height, columns) in zip(
            WIDTHS, [(10, 14), (5, 7), (3, 4), (2, 2)], strict=True))
    return first, second, third, fourth


def small_sample() -> Sample:
    """A frame of class 1, with an object of class 3 and one whose class the vote left open."""
    object_id = torch.zeros(SIZE_PX, dtype=torch.int16)
    object_id[5:20, 8:30], object_id[25:35, 35:50] = 2, 7
    object_label = torch.full(SIZE_PX, 255, dtype=torch.uint8)
    object_label[object_id == 2] = 3
    iss_label = torch.ones(SIZE_PX, dtype=torch.uint8)
    return Sample(features_of(0), features_of(1), iss_label, object_id, object_label)


def small_head() -> Head:
    torch.manual_seed(0)
    return Head(WIDTHS, DIM, CLASSES).eval()


def varied_head() -> Head:
    """One whose labels of ``features_of`` have all classes; else nearly all pixels are of 0."""
    head = small_head()
    with torch.no_grad():
        head.classifier.bias[0] -= 0.1
    return head
