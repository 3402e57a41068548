"""The entropy and its gradient by hand; norm layers learn and nothing else."""

from __future__ import annotations

import copy
import dataclasses
import math
from functools import partial

import pytest
import torch
from torch import nn

from ditta_ros.evaluation.baselines import open_method
from ditta_ros.evaluation.baselines.network import Network
from ditta_ros.evaluation.baselines.tent import Tent, TentSettings, configure, mean_entropy
from ditta_ros.evaluation.baselines.walk import Walk
from ditta_ros.settings import from_flat
from ditta_ros.temporal import decide

SETTINGS = from_flat({'warm_up.amount': 3.0})


def test_the_entropy_and_its_gradient_by_hand() -> None:
    # Two positions: probabilities (1/4, 3/4) and (1/2, 1/2).
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])[None, :, None].requires_grad_()
    sloped = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
    value = mean_entropy(logits)
    value.backward()
    assert value.item() == pytest.approx((sloped + math.log(2)) / 2)
    # dE/dz_i = -p_i (log p_i + E), and half of it as the mean is over two positions.
    assert logits.grad.flatten().tolist() == pytest.approx([
        -0.25 * (math.log(1 / 4) + sloped) / 2, 0.0,
        -0.75 * (math.log(3 / 4) + sloped) / 2, 0.0], abs=1e-7)


def test_a_certain_prediction_has_no_gradient_and_no_nan() -> None:
    logits = torch.tensor([0.0, 500.0]).view(1, 2, 1, 1).requires_grad_()
    mean_entropy(logits).backward()
    assert logits.grad.flatten().tolist() == [0.0, 0.0]


def test_only_norm_parameters_learn(segmenter, frames, fed, state, changed) -> None:
    method = Walk(SETTINGS, segmenter, partial(Tent, SETTINGS, segmenter))
    network = method.learner.network
    before = state(network)
    norms = {
        f'0.{name}.{each}' for name, module in network.named_modules()
        if isinstance(module, nn.LayerNorm | nn.BatchNorm2d) for each in ('weight', 'bias')}
    fed(method, frames[:4])
    moved = changed(before, state(network))
    assert moved == norms
    assert any('backbone' in name for name in norms) and '0.head.batch_norm.bias' in norms


def test_a_step_lowers_the_entropy(segmenter, frames) -> None:
    tent = Tent(SETTINGS, segmenter)

    def entropy() -> float:
        with torch.no_grad():
            return mean_entropy(tent.network(tent.network.image(frames[0]))).item()

    entropies = [entropy()]
    for _ in range(4):
        tent.label(frames[0], teaches=True)
        assert tent.work(no_more=False)
        entropies.append(entropy())
    assert entropies == sorted(entropies, reverse=True) and entropies[0] > entropies[-1]
    assert not tent.work(no_more=False)


def test_a_frame_is_normalised_by_its_own_statistics(segmenter, frames, fed) -> None:
    rule = TentSettings(learning_rate=0.0)
    method = Walk(SETTINGS, segmenter, partial(Tent, SETTINGS, segmenter, rule=rule))
    out = fed(method, frames[:5])
    head = copy.deepcopy(segmenter.head)
    head.batch_norm.train()
    for frame, got in zip(frames, out, strict=False):
        with torch.no_grad():
            logits = head(segmenter.encode(frame)).logits
        label, reliability = decide(logits, None, frame.size_px, SETTINGS.tau)
        assert (got.label != label).float().mean() < 1e-3  # rounding of two forms of the norm
        torch.testing.assert_close(got.reliability, reliability, rtol=0, atol=1e-3)
    plain = fed(open_method('iss', SETTINGS, segmenter), frames[:1])[0]
    assert not torch.equal(plain.label, out[0].label)


def test_a_step_follows_the_label_of_its_frame(segmenter, frames) -> None:
    rule = TentSettings(learning_rate=1e-2)
    tent = Tent(SETTINGS, segmenter, rule=rule)
    first, _ = tent.label(frames[0], teaches=True)
    again, _ = tent.label(frames[0], teaches=False)
    assert torch.equal(first, again)
    tent.work(no_more=False)
    later, _ = tent.label(frames[0], teaches=False)
    assert not torch.equal(first, later)


@pytest.mark.parametrize('model_size', [None, (64, 96)])
def test_a_copy_of_the_network_computes_what_the_segmenter_does(
    model_size, segmenter, frames,
) -> None:
    segmenter = dataclasses.replace(segmenter, model_size=model_size)
    network = Network.copy_of(segmenter)
    expected = segmenter.encode(frames[0])
    with torch.no_grad():
        got = network.encode(network.image(frames[0]))
        logits = network(network.image(frames[0]))
    assert all(torch.equal(one, two) for one, two in zip(got, expected, strict=True))
    assert torch.equal(logits, segmenter.head(expected).logits)
    ours = {weight.data_ptr() for weight in network.parameters()}
    assert ours.isdisjoint(weight.data_ptr() for weight in segmenter.head.parameters())
    assert ours.isdisjoint(weight.data_ptr() for weight in segmenter.backbone.parameters())


def test_the_head_of_the_segmenter_keeps_its_statistics(segmenter) -> None:
    network = Network.copy_of(segmenter)
    configure(network)
    assert network.head.batch_norm.running_mean is None
    assert segmenter.head.batch_norm.running_mean is not None
