"""Batch norm's statistics by hand, and against DiTTA's learning at step size 0."""

from __future__ import annotations

import copy

import pytest
import torch

from ditta_ros.adaptation import Adapter, Sample
from ditta_ros.evaluation.baselines import open_method
from ditta_ros.evaluation.baselines.bn_only import observe
from ditta_ros.labeller import IssLabeller
from ditta_ros.settings import AdaptationSettings, from_flat

STATISTICS = {
    '0.batch_norm.running_mean', '0.batch_norm.running_var', '0.batch_norm.num_batches_tracked'}


@pytest.mark.parametrize('batch', [1, 2])
def test_the_statistics_by_hand(batch, segmenter, frames) -> None:
    head = copy.deepcopy(segmenter.head)
    seen = []
    hook = head.batch_norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    mean, var = head.batch_norm.running_mean.clone(), head.batch_norm.running_var.clone()
    features = [segmenter.encode(frame) for frame in frames[:2]]
    observe(head, features[0] if batch == 2 else None, features[1])
    hook.remove()
    values = seen[0].movedim(1, 0).flatten(1).double()  # [D, B h w]
    assert seen[0].shape[0] == batch
    expected_mean, expected_var = values.mean(1), values.var(1, unbiased=True)
    torch.testing.assert_close(
        head.batch_norm.running_mean, (0.9 * mean + 0.1 * expected_mean).float())
    torch.testing.assert_close(
        head.batch_norm.running_var, (0.9 * var + 0.1 * expected_var).float())
    assert not head.batch_norm.training


def test_it_is_what_the_learning_does_to_them_at_step_size_0(
    segmenter, frames, fed, state, changed,
) -> None:
    rule = AdaptationSettings(
        learning_rate=0.0, passes=2, contrast_weight=0.0, batch_norm='train')
    adapter = Adapter(copy.deepcopy(segmenter.head), rule)
    features = [segmenter.encode(frame) for frame in frames[:3]]
    nothing = torch.zeros(frames[0].size_px, dtype=torch.uint8)
    for _ in range(2):
        for t in range(3):
            adapter.step(Sample(
                features[t], features[t - 1] if t else None, nothing, nothing.short(), nothing))
    before = state(segmenter.head)
    method = open_method(
        'bn_only', from_flat({'warm_up.amount': 3.0, 'adaptation.passes': 2}), segmenter)
    fed(method, frames[:4])
    after = state(method.learner.head)
    assert changed(before, after) == STATISTICS
    assert changed(after, state(adapter.head)) == set()


def test_they_are_in_force_from_the_last_step_on(segmenter, frames, fed) -> None:
    settings = from_flat({'warm_up.amount': 2.0, 'adaptation.passes': 3})
    method = open_method('bn_only', settings, segmenter)
    plain = fed(open_method('iss', settings, segmenter), frames[:3])
    for frame in frames[:2]:
        method.feed(frame)
    for _ in range(5):
        assert method.work()
    assert torch.equal(method.feed(frames[2]).label, plain[2].label)
    assert method.work()
    moved = copy.deepcopy(segmenter.head)
    features = [segmenter.encode(frame) for frame in frames[:2]]
    for _ in range(3):
        observe(moved, None, features[0])
        observe(moved, *features)
    got = method.feed(frames[3]).label
    expected, _ = IssLabeller(moved).label(
        segmenter.encode(frames[3]), frames[3].size_px, settings.tau)
    assert torch.equal(got, expected)


def test_features_may_wait_in_half_precision(segmenter, frames, fed) -> None:
    settings = from_flat({
        'warm_up.amount': 2.0, 'adaptation.passes': 1, 'adaptation.features_dtype': 'float16',
        'adaptation.features_device': 'cpu'})
    method = open_method('bn_only', settings, segmenter)
    fed(method, frames[:3])
    exact = copy.deepcopy(segmenter.head)
    features = [segmenter.encode(frame) for frame in frames[:2]]
    observe(exact, None, features[0])
    observe(exact, *features)
    got = method.learner.head.batch_norm.running_mean
    torch.testing.assert_close(got, exact.batch_norm.running_mean, rtol=1e-2, atol=1e-2)
    assert not torch.equal(got, exact.batch_norm.running_mean)
