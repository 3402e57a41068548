"""CoTTA's pieces by hand: teacher, pseudo labels, restore."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from ditta_ros.evaluation.baselines.cotta import (
    Cotta,
    CottaSettings,
    augmented_probability,
    average_into,
    restore,
)
from ditta_ros.evaluation.baselines.network import Network
from ditta_ros.settings import from_flat

SETTINGS = from_flat({'warm_up.amount': 3.0})


def filled(segmenter, value: float) -> Network:
    network = Network.copy_of(segmenter).requires_grad_(False)
    for weight in network.parameters():
        weight.fill_(value)
    return network


def test_the_teacher_by_hand(segmenter) -> None:
    teacher, student = filled(segmenter, 1.0), filled(segmenter, 3.0)
    average_into(teacher, student, 0.9)
    for weight in teacher.parameters():
        torch.testing.assert_close(weight, torch.full_like(weight, 1.2))
    assert all((weight == 3).all() for weight in student.parameters())


@pytest.mark.parametrize(('probability', 'share'), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_the_restore_by_its_draws(probability, share, segmenter) -> None:
    network, source = filled(segmenter, 1.0), filled(segmenter, 2.0)
    restore(network, source, probability, torch.Generator().manual_seed(7))
    draws = torch.Generator().manual_seed(7)
    back = total = 0
    for weight in network.parameters():
        drawn = torch.rand(weight.shape, generator=draws) < probability
        assert torch.equal(weight == 2, drawn) and torch.equal(weight == 1, ~drawn)
        back, total = back + int(drawn.sum()), total + drawn.numel()
    assert back / total == pytest.approx(share, abs=0.01)


def test_the_seed_decides_what_is_restored(segmenter, frames) -> None:
    states = []
    for seed in (0, 0, 1):
        settings = from_flat({'warm_up.amount': 3.0, 'adaptation.seed': seed})
        cotta = Cotta(settings, segmenter, rule=CottaSettings(scales=(1.0,)))
        cotta.label(frames[0], teaches=True)
        cotta.work(no_more=False)
        states.append(cotta.student.state_dict())
    first, same, other = states
    assert all(torch.equal(value, same[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


@torch.no_grad()
def test_the_mean_over_augmentations_by_hand(segmenter, frames) -> None:
    network = Network.copy_of(segmenter)
    image = network.image(frames[0])
    height, width = frames[0].size_px

    def probability(seen: torch.Tensor, mirrored: bool) -> torch.Tensor:
        logits = network(seen.flip(3) if mirrored else seen)
        large = F.interpolate(
            logits, (height, width), mode='bilinear', align_corners=False)[0].softmax(0)
        return large.flip(2) if mirrored else large

    half = F.interpolate(image, (48, 64), mode='bilinear', align_corners=False)
    expected = sum(
        probability(seen, mirrored) for seen in (half, image) for mirrored in (False, True)) / 4
    got = augmented_probability(network, image, (0.5, 1.0), frames[0].size_px)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(got.sum(0), torch.ones(height, width))


def test_a_side_is_never_smaller_than_the_backbone_takes(segmenter, frames) -> None:
    network = Network.copy_of(segmenter)
    small = network.image(frames[0])[:, :, :32, :40]
    assert augmented_probability(network, small, (0.25,), (32, 40)).shape == (12, 32, 40)


def test_where_the_model_sees_another_size_labels_have_that_of_the_frame(
    segmenter, frames,
) -> None:
    squeezed = dataclasses.replace(segmenter, model_size=(64, 64))
    cotta = Cotta(SETTINGS, squeezed, rule=CottaSettings(scales=(0.5, 1.0)))
    label, _ = cotta.label(frames[0], teaches=True)
    assert label.shape == cotta.pseudo_label(frames[0]).shape == frames[0].size_px
    assert cotta.work(no_more=False)


@torch.no_grad()
def test_pseudo_labels_of_sure_and_unsure_pixels(segmenter, frames) -> None:
    def pseudo(sure_from: float) -> torch.Tensor:
        rule = CottaSettings(sure_from=sure_from, scales=(0.5,))
        return Cotta(SETTINGS, segmenter, rule=rule).pseudo_label(frames[0])

    network = Network.copy_of(segmenter)
    image = network.image(frames[0])
    prob = F.interpolate(
        network(image), frames[0].size_px, mode='bilinear', align_corners=False)[0].softmax(0)
    plain = prob.argmax(0)
    averaged = augmented_probability(
        network, image, (0.5,), frames[0].size_px).argmax(0)
    assert not torch.equal(plain, averaged)
    assert torch.equal(pseudo(0.0), plain)  # sure everywhere
    assert torch.equal(pseudo(1.0), averaged)  # nowhere
    assert torch.equal(pseudo(0.69), torch.where(prob.amax(0) > 0.69, plain, averaged))


def test_a_step_in_its_order(segmenter, frames, state, changed) -> None:
    """The teacher follows the student as it was before it was restored."""
    rule = CottaSettings(
        learning_rate=1e-3, ema_decay=0.5, restore_probability=1.0, scales=(1.0,))
    cotta = Cotta(SETTINGS, segmenter, rule=rule)
    source = state(cotta.student)
    cotta.label(frames[0], teaches=True)
    assert cotta.work(no_more=False) and not cotta.work(no_more=False)
    assert changed(source, state(cotta.student)) == set()
    moved = state(cotta.teacher)
    learnt = changed(source, moved)
    assert any('backbone' in name for name in learnt)
    assert any('head.fuse' in name for name in learnt)
    # Adam's first step is the step size in every weight with a gradient: the teacher goes half.
    step = (moved['0.head.classifier.bias'] - source['0.head.classifier.bias']).abs()
    assert step.max().item() == pytest.approx(5e-4, rel=1e-2)
    still = ('running', 'query_mlp', 'key_mlp', 'head.projection')
    assert not any(part in name for name in learnt for part in still)


def test_the_teacher_labels(segmenter, frames) -> None:
    cotta = Cotta(SETTINGS, segmenter, rule=CottaSettings(
        learning_rate=1e-2, ema_decay=1.0, restore_probability=0.0, scales=(1.0,)))
    before, _ = cotta.label(frames[0], teaches=True)
    cotta.work(no_more=False)
    after, _ = cotta.label(frames[0], teaches=False)
    assert torch.equal(before, after)  # the student has moved, the teacher has not
