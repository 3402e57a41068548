from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.adaptation import (
    Adapter,
    MemoryBank,
    Sample,
    UnitUpsampling,
    contrast_loss,
    distill_label,
    distill_loss,
)
from ditta_ros.segmenter import Decoded, Head, entropy
from ditta_ros.settings import AdaptationSettings
from ditta_ros.temporal import add_on, decide
from small_samples import CLASSES, DIM, SIZE_PX, small_head, small_sample


@pytest.fixture
def sample() -> Sample:
    return small_sample()


@pytest.fixture
def head() -> Head:
    return small_head()


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


@pytest.mark.parametrize('batch_norm', ['train', 'eval'])
@pytest.mark.parametrize('distill_on', ['logits', 'probabilities'])
def test_steps_lower_every_loss(head, sample, batch_norm, distill_on) -> None:
    settings = AdaptationSettings(
        learning_rate=2e-3, distill_on=distill_on, batch_norm=batch_norm)
    adapter = Adapter(head, settings)
    losses = [adapter.step(sample) for _ in range(20)]
    for term in ('distill', 'distill_add', 'contrast', 'total'):
        assert getattr(losses[-1], term) < getattr(losses[0], term)


def test_the_head_learns_the_objects_class(head, sample) -> None:
    adapter = Adapter(head, AdaptationSettings(learning_rate=1e-2, batch_norm='eval'))
    for _ in range(60):
        adapter.step(sample)
    with torch.no_grad():
        label, _ = decide(adapter.head(sample.features).logits, None, SIZE_PX, 0.8)
    assert (label[8:17, 12:26] == 3).float().mean() > 0.9
    assert (label[28:32, 39:46] == 1).float().mean() > 0.9  # the segmenter's: no vote there


@pytest.mark.parametrize('batch_norm', ['train', 'eval'])
@pytest.mark.parametrize('distill_on', ['logits', 'probabilities'])
def test_the_losses_of_a_step_by_their_definition(head, sample, batch_norm, distill_on) -> None:
    def large(logits: Tensor) -> Tensor:
        return F.interpolate(logits, SIZE_PX, mode='bilinear', align_corners=False)[0]

    twin = copy.deepcopy(head)
    twin.batch_norm.train(batch_norm == 'train')
    settings = AdaptationSettings(
        contrast_weight=0.5, distill_on=distill_on, batch_norm=batch_norm, anchor_weight=0.0)
    losses = Adapter(head, settings).step(sample)

    first, second, third, fourth = (
        torch.cat(pair) for pair in zip(sample.previous, sample.features, strict=True))
    feature, logits = twin((first, second, third, fourth))
    carried = add_on(twin, feature[1:], Decoded(feature[:1], logits[:1]))
    now, before = large(logits[1:]), large(carried)
    label = distill_label(sample.object_label, sample.iss_label)
    if distill_on == 'probabilities':
        expected = [distill_loss(now.softmax(0), label), distill_loss(before.softmax(0), label)]
    else:
        expected = [distill_loss(now, label), distill_loss(before, label)]
    # On the first step the momentum head is still the live one.
    projected = twin.project(feature)[1]
    expected.append(contrast_loss(
        projected, projected, now.softmax(0), sample.object_id, MemoryBank()))
    got = [losses.distill, losses.distill_add, losses.contrast]
    assert got == pytest.approx([value.item() for value in expected], abs=1e-5)
    assert losses.total == pytest.approx(sum(got[:2]) + 0.5 * got[2])


def test_a_first_frame_has_no_add_on(head, sample) -> None:
    first = Sample(
        sample.features, None, sample.iss_label, sample.object_id, sample.object_label)
    query, projection, fuse = (
        layer.weight.clone() for layer in (head.query_mlp[0], head.projection[0], head.fuse))
    settings = AdaptationSettings(learning_rate=1e-3, contrast_weight=0.0)
    losses = Adapter(head, settings).step(first)
    assert losses.distill > 0 and losses.distill_add == 0 and losses.contrast == 0
    assert torch.equal(head.query_mlp[0].weight, query)
    assert torch.equal(head.projection[0].weight, projection)
    assert not torch.equal(head.fuse.weight, fuse)


def test_batch_norm_moves_its_statistics_only_in_train_mode(head, sample) -> None:
    frozen = copy.deepcopy(head.batch_norm.state_dict())
    Adapter(head, AdaptationSettings(batch_norm='eval')).step(sample)
    assert torch.equal(head.batch_norm.running_mean, frozen['running_mean'])
    Adapter(head, AdaptationSettings(batch_norm='train')).step(sample)
    assert not torch.equal(head.batch_norm.running_mean, frozen['running_mean'])
    assert not head.batch_norm.training  # ready to decode between steps


def test_the_momentum_head_follows_slowly(head, sample) -> None:
    before = copy.deepcopy(head)
    settings = AdaptationSettings(learning_rate=1e-2, ema_decay=0.9)
    adapter = Adapter(head, settings)
    adapter.step(sample)
    momentum = dict(adapter.momentum.named_parameters())
    for name, parameter in before.named_parameters():
        live = head.get_parameter(name)
        torch.testing.assert_close(momentum[name], 0.9 * parameter + 0.1 * live)
    assert not torch.equal(momentum['fuse.weight'], head.fuse.weight)


def test_the_momentum_head_makes_the_prototypes(head, sample) -> None:
    settings = AdaptationSettings(learning_rate=1e-2, ema_decay=1.0, batch_norm='eval')
    adapter = Adapter(head, settings)
    adapter.step(sample)
    first = adapter.bank.prototypes[2].clone()
    for _ in range(5):
        adapter.step(sample)
    # A momentum head that never moves gives the same prototype again, however the live one moves.
    torch.testing.assert_close(adapter.bank.prototypes[2], first)


def test_the_same_steps_give_the_same_head(head, sample) -> None:
    twin = copy.deepcopy(head)
    one, other = (Adapter(each, AdaptationSettings()) for each in (head, twin))
    assert [one.step(sample) for _ in range(3)] == [other.step(sample) for _ in range(3)]


def test_a_step_works_where_the_caller_switched_gradients_off(head, sample) -> None:
    fuse = head.fuse.weight.clone()
    with torch.no_grad():
        Adapter(head, AdaptationSettings(batch_norm='train')).step(sample)
    assert not torch.equal(head.fuse.weight, fuse)
