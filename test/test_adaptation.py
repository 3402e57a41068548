from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.adaptation import Adapter, Sample
from ditta_ros.losses import (
    MemoryBank,
    class_weight,
    contrast_loss,
    distill_label,
    distill_loss,
)
from ditta_ros.segmenter import Decoded, Head
from ditta_ros.settings import AdaptationSettings
from ditta_ros.temporal import add_on, decide
from small_samples import CLASSES, SIZE_PX, small_head, small_sample


@pytest.fixture
def sample() -> Sample:
    return small_sample()


@pytest.fixture
def head() -> Head:
    return small_head()


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


def test_rarity_and_the_samples_weight_are_in_the_loss(head, sample) -> None:
    weight = torch.rand(SIZE_PX, generator=torch.Generator().manual_seed(1))
    weighted = dataclasses.replace(sample, weight=weight)
    with torch.no_grad():
        [logits] = F.interpolate(
            head(sample.features).logits, SIZE_PX, mode='bilinear', align_corners=False)
    label = distill_label(sample.object_label, sample.iss_label)
    rarity = class_weight(label, CLASSES, 0.5)
    for settings, one, factor in (
            (AdaptationSettings(), weighted, weight),
            (AdaptationSettings(class_balance=0.5), sample, rarity),
            (AdaptationSettings(class_balance=0.5, focal_gamma=1.5), weighted, weight * rarity)):
        got = Adapter(copy.deepcopy(head), settings).step(one).distill
        expected = distill_loss(logits, label, factor, settings.focal_gamma)
        assert got == pytest.approx(expected.item(), abs=1e-5)


def test_the_last_layers_alone_learn_where_that_is_wanted(head, sample) -> None:
    before = copy.deepcopy(head.state_dict())
    Adapter(head, AdaptationSettings(learns='last_layers')).step(sample)
    changed = {name.split('.')[0] for name, value in head.state_dict().items()
               if not torch.equal(value, before[name])}
    assert changed == {'classifier', 'query_mlp', 'key_mlp', 'projection'}


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
