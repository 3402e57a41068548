from __future__ import annotations

import torch

from ditta_ros.regions import regions


def test_regions_touch_at_their_sides_and_are_numbered_class_by_class() -> None:
    label = torch.tensor([
        [3, 3, 0, 255],
        [0, 0, 3, 255],
        [0, 7, 7, 3]], dtype=torch.uint8)
    split = regions(label)
    assert split.region.tolist() == [
        [2, 2, 0, -1],
        [1, 1, 3, -1],
        [1, 5, 5, 4]]
    assert split.class_id.tolist() == [0, 0, 3, 3, 3, 7]
    assert split.area_px.tolist() == [1, 3, 2, 1, 1, 2]


def test_an_image_without_labels_has_no_region() -> None:
    split = regions(torch.full((2, 3), 255, dtype=torch.uint8))
    assert (split.region == -1).all() and len(split.class_id) == len(split.area_px) == 0


def test_more_than_255_classes() -> None:
    split = regions(torch.tensor([[300, 65535, 255]], dtype=torch.int32))
    assert split.region.tolist() == [[1, -1, 0]] and split.class_id.tolist() == [255, 300]
