"""A step of learning that goes wrong, and what holds a step back."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from ditta_ros.adaptation import Adapter, BadStepError, Sample
from ditta_ros.segmenter import Head
from ditta_ros.settings import AdaptationSettings
from small_samples import small_head, small_sample


@pytest.fixture
def sample() -> Sample:
    return small_sample()


@pytest.fixture
def head() -> Head:
    return small_head()


def everything(adapter: Adapter) -> list[Tensor]:
    """All that a step changes."""
    moments = [
        value for state in adapter.optimiser.state.values() for value in state.values()]
    return [value.clone() for value in (
        *adapter.head.state_dict().values(), *adapter.average.state_dict().values(),
        *moments, *adapter.bank.prototypes.values())]


def spoiled(where: str, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """Make the next step go wrong; return the sample for it."""
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError('CUDA out of memory')

    if where == 'loss':
        stages = [torch.full_like(stage, torch.nan) for stage in sample.features]
        return dataclasses.replace(sample, features=tuple(stages))
    if where == 'gradient':
        # Its square root has the value 0 and an infinite gradient there.
        monkeypatch.setattr('ditta_ros.adaptation.distill_loss', lambda scores, *rest: (
            (scores - scores.detach()).square().sum().sqrt()))
    else:
        monkeypatch.setattr(AveragedModel, 'update_parameters', fail)
    return sample


@pytest.mark.parametrize('first', [True, False])
@pytest.mark.parametrize(('where', 'error'), [
    ('loss', BadStepError), ('gradient', BadStepError), ('average', torch.OutOfMemoryError)])
def test_a_step_that_goes_wrong_leaves_no_trace(
    head, sample, monkeypatch, where: str, error: type[Exception], first: bool,
) -> None:
    adapter, untouched = (
        Adapter(each, AdaptationSettings(batch_norm='train'))
        for each in (head, copy.deepcopy(head)))
    if not first:
        adapter.step(sample)
        untouched.step(sample)
    before = everything(adapter)
    with monkeypatch.context() as patch, pytest.raises(error):
        adapter.step(spoiled(where, sample, patch))
    after = everything(adapter)
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert not adapter.head.batch_norm.training
    assert adapter.step(sample) == untouched.step(sample)


def test_the_anchor_is_the_divergence_from_the_head_as_it_came(head, sample) -> None:
    adapter = Adapter(head, AdaptationSettings(learning_rate=1e-2, batch_norm='eval'))
    assert adapter.step(sample).anchor == pytest.approx(0.0, abs=1e-6)
    with torch.no_grad():
        before, now = (each(sample.features).logits[0] for each in (adapter.before, head))
    prob = before.softmax(0)
    by_hand = (prob * (prob.log() - now.log_softmax(0))).sum(0).mean()
    losses = adapter.step(sample)
    assert losses.anchor == pytest.approx(by_hand.item(), rel=1e-4)
    assert by_hand > 1e-3
    assert losses.total == pytest.approx(
        losses.distill + losses.distill_add + losses.contrast + losses.anchor)


def test_a_heavier_anchor_holds_the_labels_closer(sample) -> None:
    def strayed(weight: float) -> float:
        adapter = Adapter(small_head(), AdaptationSettings(
            learning_rate=1e-2, batch_norm='eval', anchor_weight=weight))
        for _ in range(10):
            adapter.step(sample)
        with torch.no_grad():
            now, before = (
                each(sample.features).logits.softmax(1) for each in (adapter.head, adapter.before))
        return float(F.l1_loss(now, before))

    assert strayed(10.0) < 0.5 * strayed(0.0)
