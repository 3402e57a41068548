from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.adaptation import Sample
from ditta_ros.losses import (
    MemoryBank,
    UnitUpsampling,
    class_weight,
    contrast_loss,
    distill_label,
    distill_loss,
)
from ditta_ros.segmenter import entropy
from small_samples import CLASSES, DIM, SIZE_PX, small_sample


@pytest.fixture
def sample() -> Sample:
    return small_sample()


def direct_unit(feature: Tensor) -> Tensor:
    """The definition, on the image grid: [D, H, W]."""
    large = F.interpolate(
        F.normalize(feature, dim=0)[None], SIZE_PX, mode='bilinear', align_corners=False)
    return F.normalize(large[0], dim=0)


def test_the_object_overrules_the_segmenter() -> None:
    objects = torch.tensor([[255, 3, 0]], dtype=torch.uint8)
    iss = torch.tensor([[1, 1, 2]], dtype=torch.uint8)
    assert distill_label(objects, iss).tolist() == [[1, 3, 0]]


def test_the_object_overrules_the_segmenter_of_more_than_255_classes() -> None:
    objects = torch.tensor([[65535, 299, 255]], dtype=torch.int32)
    iss = torch.tensor([[1, 1, 2]], dtype=torch.int32)
    assert distill_label(objects, iss).tolist() == [[1, 299, 255]]


def test_distillation_by_hand() -> None:
    scores = torch.tensor([[[2.0, 0.0]], [[0.0, 0.0]]])
    label = torch.tensor([[0, 1]], dtype=torch.uint8)
    expected = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    assert distill_loss(scores, label).item() == pytest.approx(expected)


def test_a_weighted_mean_leaves_out_what_weighs_nothing() -> None:
    scores = torch.tensor([[[2.0, 0.0, 5.0]], [[0.0, 0.0, 0.0]]])
    label = torch.tensor([[0, 1, 1]], dtype=torch.uint8)
    weight = torch.tensor([[3.0, 1.0, 0.0]])
    expected = (3 * math.log(1 + math.exp(-2)) + math.log(2)) / 4
    assert distill_loss(scores, label, weight).item() == pytest.approx(expected)
    assert distill_loss(scores, label, weight * 0).item() == 0


def test_the_focal_loss_by_hand() -> None:
    scores = torch.tensor([[[0.0, math.log(3)]], [[0.0, 0.0]]], requires_grad=True)
    label = torch.tensor([[1, 0]], dtype=torch.uint8)
    loss = distill_loss(scores, label, focal_gamma=2.0)
    expected = (0.5 ** 2 * math.log(2) + 0.25 ** 2 * math.log(4 / 3)) / 2
    assert loss.item() == pytest.approx(expected)


def test_the_focal_loss_can_be_learnt_from_where_nothing_is_wrong() -> None:
    scores = torch.tensor([[[200.0]], [[0.0]]], requires_grad=True)
    distill_loss(scores, torch.zeros(1, 1, dtype=torch.uint8), focal_gamma=0.5).backward()
    assert scores.grad is not None and scores.grad.isfinite().all()


@pytest.mark.parametrize(('balance', 'expected'), [
    (0.0, [1, 1, 1, 1]), (1.0, [2 / 3, 2 / 3, 2 / 3, 2]),
    (0.5, [3 ** -0.5, 3 ** -0.5, 3 ** -0.5, 1]),
])
def test_rare_classes_weigh_more(balance: float, expected: list[float]) -> None:
    weight = class_weight(torch.tensor([[0, 0, 0, 2]], dtype=torch.uint8), 4, balance)
    mean = sum(expected) / 4
    assert weight[0].tolist() == pytest.approx([each / mean for each in expected])


@pytest.mark.parametrize('grid', [(10, 14), (9, 17), (1, 5), (40, 56), (50, 60)])
def test_unit_upsampling_is_the_upsampled_features(grid) -> None:
    generator = torch.Generator().manual_seed(0)
    feature = torch.randn((DIM, *grid), generator=generator, requires_grad=True)
    prototypes = F.normalize(torch.randn((3, DIM), generator=generator), dim=1)
    weights = torch.rand((3, *SIZE_PX), generator=generator)
    unit, direct = UnitUpsampling(feature, SIZE_PX), direct_unit(feature)
    similarity = unit.similarity(prototypes)
    expected = torch.einsum('kd,dhw->khw', prototypes, direct)
    torch.testing.assert_close(similarity, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        unit.weighted_sum(weights), torch.einsum('khw,dhw->kd', weights, direct),
        rtol=1e-4, atol=1e-4)
    [got], [gradient] = (
        torch.autograd.grad((each * weights).sum(), feature) for each in (similarity, expected))
    torch.testing.assert_close(got, gradient, rtol=1e-3, atol=1e-4)


def test_the_bank_is_a_running_mean_of_unit_vectors() -> None:
    bank = MemoryBank()
    right, up = torch.eye(2)
    assert bank.update([4], right[None]).tolist() == [[1.0, 0.0]]
    both = bank.update([4, 9], torch.stack([up, up]))
    torch.testing.assert_close(both, torch.tensor([[0.5 ** 0.5, 0.5 ** 0.5], [0.0, 1.0]]))
    assert sorted(bank.prototypes) == [4, 9]


def test_contrast_is_the_definition(sample: Sample) -> None:
    generator = torch.Generator().manual_seed(0)
    feature, momentum = torch.randn((2, DIM, 10, 14), generator=generator)
    prob = torch.randn((CLASSES, *SIZE_PX), generator=generator).softmax(0)
    bank = MemoryBank()
    got = contrast_loss(feature, momentum, prob, sample.object_id, bank)

    uncertainty = entropy(prob.softmax(0))
    weight = 1 - (uncertainty - uncertainty.min()) / (uncertainty.max() - uncertainty.min())
    large = direct_unit(momentum)
    prototypes = torch.stack([
        F.normalize((large * weight)[:, sample.object_id == object_id].sum(1), dim=0)
        for object_id in (2, 7)])
    similarity = torch.einsum('kd,dhw->khw', prototypes, direct_unit(feature))
    loss = -similarity.log_softmax(0)
    total = loss[0][sample.object_id == 2].sum() + loss[1][sample.object_id == 7].sum()
    assert got.item() == pytest.approx(total.item() / (SIZE_PX[0] * SIZE_PX[1]), abs=1e-5)
    torch.testing.assert_close(bank.prototypes[7], prototypes[1], rtol=1e-4, atol=1e-5)


def test_contrast_where_every_pixel_has_an_object() -> None:
    feature = torch.randn((DIM, 10, 14), generator=torch.Generator().manual_seed(0))
    object_id = torch.full(SIZE_PX, 3)
    loss = contrast_loss(
        feature, feature, torch.full((CLASSES, *SIZE_PX), 1 / CLASSES), object_id, MemoryBank())
    assert loss.item() == 0  # one prototype: nothing to tell it from


def test_contrast_without_objects_is_zero_and_leaves_the_bank() -> None:
    bank = MemoryBank()
    feature = torch.randn((DIM, 10, 14), requires_grad=True)
    loss = contrast_loss(
        feature, feature.detach(), torch.rand(CLASSES, *SIZE_PX), torch.zeros(SIZE_PX), bank)
    loss.backward()
    assert loss.item() == 0 and not bank.prototypes
    assert feature.grad is not None and not feature.grad.any()
