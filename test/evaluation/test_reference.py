"""The plain model beside a method borrows its features, and only where they are the plain ones."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch

from ditta_ros.evaluation.reference import beside
from ditta_ros.frame import Frame
from ditta_ros.segmenter import Segmenter
from random_models import save_random_segformer


@pytest.fixture
def segmenter(tmp_path: Path) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path)))


def frame(seed: int) -> Frame:
    rng = torch.Generator().manual_seed(seed)
    return Frame(0, '', torch.randint(0, 256, (32, 48, 3), generator=rng, dtype=torch.uint8))


def test_features_of_the_same_image_are_borrowed(segmenter: Segmenter) -> None:
    keeping, borrowing = beside(segmenter)
    features = keeping.encode(frame(0))
    assert borrowing.encode(frame(0)) is features
    for ours, plain in zip(features, segmenter.encode(frame(0)), strict=True):
        assert torch.equal(ours, plain)


def test_another_image_is_encoded(segmenter: Segmenter) -> None:
    keeping, borrowing = beside(segmenter)
    features = keeping.encode(frame(0))
    assert not torch.equal(borrowing.encode(frame(1))[0], features[0])
    assert torch.equal(borrowing.encode(frame(1))[0], segmenter.encode(frame(1))[0])


@pytest.mark.parametrize('copied', [
    copy.deepcopy,
    lambda segmenter: dataclasses.replace(segmenter, backbone=copy.deepcopy(segmenter.backbone))])
def test_features_of_a_backbone_that_learns_are_not(segmenter: Segmenter, copied) -> None:
    keeping, borrowing = beside(segmenter)
    learning = copied(keeping)
    with torch.no_grad():
        for value in learning.backbone.parameters():
            value.add_(.1)
    keeping.encode(frame(0))
    assert not torch.equal(learning.encode(frame(0))[0], segmenter.encode(frame(0))[0])
    assert torch.equal(borrowing.encode(frame(0))[0], segmenter.encode(frame(0))[0])


def test_features_of_other_colours_are_not(segmenter: Segmenter) -> None:
    keeping, borrowing = beside(segmenter)
    dataclasses.replace(keeping, mean=keeping.mean + 0.1).encode(frame(0))
    torch.testing.assert_close(
        borrowing.encode(frame(0)), segmenter.encode(frame(0)), rtol=0, atol=0)
