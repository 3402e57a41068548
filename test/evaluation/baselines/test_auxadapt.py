"""AuxAdapt by hand: the joint decision, what is learnt and from what."""

from __future__ import annotations

import math

import pytest
import torch

from ditta_ros.evaluation.baselines.auxadapt import (
    AuxAdapt,
    AuxAdaptSettings,
    self_training_loss,
)
from ditta_ros.folded import FoldedHead
from ditta_ros.labeller import IssLabeller
from ditta_ros.settings import from_flat

SETTINGS = from_flat({'warm_up.amount': 3.0})
TRAINED = ('scales.', 'fuse.', 'batch_norm.weight', 'batch_norm.bias', 'classifier.')


def test_the_loss_by_hand() -> None:
    # Two pixels, decided for class 1 with 3/4 and for class 0 with 1/2 (the first of equal ones).
    joint = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])[None, :, None].requires_grad_()
    loss = self_training_loss(joint)
    loss.backward()
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    # Probability less 1 for the decided class, over the number of pixels.
    assert joint.grad.flatten().tolist() == pytest.approx([0.125, -0.25, -0.125, 0.25])


def test_the_auxiliary_head_alone_learns(segmenter, frames, state, changed) -> None:
    method = AuxAdapt(SETTINGS, segmenter)
    before = state(method.auxiliary)
    for frame in frames[:2]:
        method.label(frame, teaches=True)
    assert method.work(no_more=False) and method.work(no_more=True)
    assert not method.work(no_more=True)
    learnt = changed(before, state(method.auxiliary))
    assert learnt == {name for name in before if name[2:].startswith(TRAINED)}


def test_the_decision_is_of_the_sum(segmenter, frames) -> None:
    method = AuxAdapt(SETTINGS, segmenter)
    main, _ = IssLabeller(segmenter.head).label(
        segmenter.encode(frames[0]), frames[0].size_px, SETTINGS.tau)
    label, _ = method.label(frames[0], teaches=False)
    assert torch.equal(label, main)
    # An auxiliary head that is against everything that the main one says: nothing is left.
    with torch.no_grad():
        method.auxiliary.classifier.weight.neg_()
        method.auxiliary.classifier.bias.neg_()
    method._folded = FoldedHead.fold(method.auxiliary)
    _, reliability = method.label(frames[0], teaches=False)
    assert reliability.max() < 1e-3  # all classes equal everywhere
    # One that is sure of class 5.
    with torch.no_grad():
        method.auxiliary.classifier.bias[5] += 1e4
    method._folded = FoldedHead.fold(method.auxiliary)
    label, _ = method.label(frames[0], teaches=False)
    assert (label == 5).all()


def test_learning_makes_the_decision_surer(segmenter, frames) -> None:
    method = AuxAdapt(SETTINGS, segmenter, rule=AuxAdaptSettings(learning_rate=1e-3))

    def loss() -> float:
        with torch.no_grad():
            features = segmenter.encode(frames[0])
            return self_training_loss(
                (segmenter.head(features).logits + method.auxiliary(features).logits) / 2).item()

    losses = [loss()]
    for _ in range(4):
        method.label(frames[0], teaches=True)
        method.work(no_more=False)
        losses.append(loss())
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
