"""What holds for every method: the segmenter stays, the rest of the stream teaches nothing."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from ditta_ros.evaluation.baselines import METHODS, MethodError, open_method
from ditta_ros.evaluation.baselines.auxadapt import AuxAdapt, AuxAdaptSettings
from ditta_ros.evaluation.baselines.bn_only import BnOnly, BnOnlySettings
from ditta_ros.evaluation.baselines.cotta import Cotta, CottaSettings
from ditta_ros.evaluation.baselines.true_labels import TrueLabels
from ditta_ros.evaluation.baselines.walk import Walk
from ditta_ros.evaluation.baselines.zero_shot import ZeroShot
from ditta_ros.evaluation.bed.branching import BranchingTracker
from ditta_ros.evaluation.bed.encoding import EncodingOnce
from ditta_ros.frame import Frame
from ditta_ros.labels import LabelSet, default_palette
from ditta_ros.mapping import ClassMapping
from ditta_ros.settings import SettingError, from_flat
from ditta_ros.tracker import Sam2Tracker

WARM_UP = 3
VALUES = {
    'warm_up.amount': float(WARM_UP), 'adaptation.passes': 2, 'adaptation.held_out_percent': 0.0}
SETTINGS = from_flat(VALUES)
LEARNT = [name for name in METHODS if name not in ('iss', 'ditta')]


def labels(out):
    return torch.stack([each.label for each in out])


def reliabilities(out):
    return torch.stack([each.reliability for each in out])


@pytest.mark.parametrize('name', METHODS)
def test_a_method_labels_freezes_and_leaves_the_segmenter_alone(
    name, segmenter, tracker, frames, fed, state, changed,
) -> None:
    before = state(segmenter.backbone, segmenter.head)
    method = open_method(name, SETTINGS, segmenter, tracker)
    assert method.label_set is segmenter.label_set and method.device == segmenter.device
    out = fed(method, frames)
    for frame, each in zip(frames, out, strict=True):
        assert (each.stamp_ns, each.frame_id) == (frame.stamp_ns, 'camera')
        assert each.label.shape == each.reliability.shape == frame.size_px
        assert each.label.dtype == torch.uint8 and int(each.label.max()) < len(method.label_set)
        assert 0 <= each.reliability.min() and each.reliability.max() <= 1
    phases = [each.phase.value for each in out]
    assert phases[WARM_UP:] == ['frozen'] * (len(frames) - WARM_UP)
    assert phases[0] == ('frozen' if name == 'iss' else 'warm_up')
    status = method.status()
    assert status['phase'] == 'frozen' and status['why']
    assert status['warm_up_frames'] == (0 if name == 'iss' else WARM_UP)
    assert status['promoted'] == (name != 'iss')
    assert (status['objects'] > 0) == (name in ('ditta', 'zero_shot'))
    assert (status['adaptation_steps'] > 0) == (name not in ('iss', 'zero_shot'))
    assert not method.work()
    method.close()
    assert changed(before, state(segmenter.backbone, segmenter.head)) == set()
    assert not segmenter.backbone.training and not segmenter.head.training
    weights = (*segmenter.backbone.parameters(), *segmenter.head.parameters())
    assert not any(weight.requires_grad for weight in weights)


@pytest.mark.parametrize('name', LEARNT)
def test_nothing_is_learnt_after_the_warm_up(name, segmenter, tracker, frames, fed) -> None:
    method = open_method(name, SETTINGS, segmenter, tracker)
    fed(method, frames[:WARM_UP])
    then = {key: value.clone() for key, value in method.learner.learnt().items()}
    fed(method, frames[WARM_UP:])
    now = method.learner.learnt()
    assert then.keys() == now.keys() and then
    assert all(torch.equal(value, now[key]) for key, value in then.items())


@pytest.mark.parametrize('name', METHODS)
def test_a_method_is_deterministic(name, segmenter, tracker, frames, fed) -> None:
    first, second = (
        fed(open_method(name, SETTINGS, segmenter, tracker), frames) for _ in range(2))
    assert torch.equal(labels(first), labels(second))
    assert torch.equal(reliabilities(first), reliabilities(second))


@pytest.mark.parametrize('name', [name for name in METHODS if name != 'iss'])
def test_a_method_is_not_the_plain_segmenter(name, segmenter, tracker, frames, fed) -> None:
    # CoTTA's own step is too small to be seen in a few frames.
    values = {**VALUES, 'adaptation.learning_rate': 1e-3}
    method = open_method(name, from_flat(values), segmenter, tracker)
    if name == 'cotta':
        rule = CottaSettings(learning_rate=1e-3, ema_decay=0.5)
        method = Walk(SETTINGS, segmenter, partial(Cotta, SETTINGS, segmenter, rule=rule))
    plain = fed(open_method('iss', SETTINGS, segmenter), frames)
    assert not torch.equal(labels(fed(method, frames))[WARM_UP:], labels(plain)[WARM_UP:])


@pytest.mark.parametrize('learner', [
    partial(BnOnly, rule=BnOnlySettings(momentum=0.0)),
    partial(Cotta, rule=CottaSettings(learning_rate=0.0)),
    partial(AuxAdapt, rule=AuxAdaptSettings(learning_rate=0.0)),
], ids=['bn_only', 'cotta', 'auxadapt'])
def test_where_nothing_is_learnt_it_is_the_plain_segmenter(
    learner, segmenter, frames, fed,
) -> None:
    method = Walk(SETTINGS, segmenter, partial(learner, SETTINGS, segmenter))
    out, plain = fed(method, frames), fed(open_method('iss', SETTINGS, segmenter), frames)
    assert method.status()['adaptation_steps'] >= WARM_UP
    assert torch.equal(labels(out), labels(plain))
    assert torch.equal(reliabilities(out), reliabilities(plain))


def test_without_objects_or_truth_it_is_the_plain_segmenter(
    segmenter, tracker, frames, fed,
) -> None:
    settings = from_flat({**VALUES, 'tau': 1.0})
    untold = [Frame(frame.stamp_ns, frame.frame_id, frame.rgb) for frame in frames]
    plain = fed(open_method('iss', settings, segmenter), frames)
    for learner in (partial(ZeroShot, settings, segmenter, tracker),
                    partial(TrueLabels, settings, segmenter)):
        method = Walk(settings, segmenter, learner)
        out = fed(method, untold)
        assert torch.equal(labels(out), labels(plain))
        assert not method.status()['promoted']
        assert 'there was nothing to learn' in method.status()['why']


@pytest.mark.parametrize('name', METHODS)
def test_without_a_warm_up_the_plain_segmenter_labels(name, frames, segmenter, fed) -> None:
    settings = from_flat({'warm_up.amount': 0.0})
    method = open_method(name, settings, segmenter)
    plain = fed(open_method('iss', settings, segmenter), frames[:2])
    assert torch.equal(labels(fed(method, frames[:2])), labels(plain))
    assert method.status()['phase'] == 'frozen'
    assert 'warm_up.amount is 0' in method.status()['why']


@pytest.mark.parametrize('name', ['ditta', 'zero_shot', 'cotta'])
def test_methods_share_what_is_remembered_of_a_stream(name, segmenter, frames, fed) -> None:
    """One encoding and one tracking serve all, whichever method came before."""
    settings = from_flat({**VALUES, 'tau': 0.6})
    once = EncodingOnce.around(segmenter)
    masks = BranchingTracker(Sam2Tracker.load(settings.tracker, 'cpu'))
    for other in ('ditta', 'zero_shot'):
        fed(open_method(other, settings, once, masks), frames[:5])
    shared = fed(open_method(name, settings, once, masks), frames[:5])
    alone = fed(open_method(name, settings), frames[:5])
    assert torch.equal(labels(shared), labels(alone))
    assert torch.equal(reliabilities(shared), reliabilities(alone))


@pytest.fixture
def mapping(segmenter) -> ClassMapping:
    """Sky is 1 and all else that stands or lies 0, but vehicles are dropped; 2 is never said."""
    target_of = torch.zeros(len(segmenter.label_set), dtype=torch.int64)
    target_of[0], target_of[11] = 1, 3
    return ClassMapping(
        LabelSet(('rest', 'sky', 'none'), default_palette(3)), target_of,
        np.array([True, True, False]), np.arange(256, dtype=np.uint8))


@pytest.mark.parametrize('name', LEARNT)
def test_with_a_mapping_labels_are_of_its_target_and_learning_is_not(
    name, segmenter, tracker, frames, fed, mapping,
) -> None:
    if name == 'true_labels':
        with pytest.raises(MethodError, match="truth of the segmenter's own classes"):
            open_method(name, SETTINGS, segmenter, mapping=mapping)
        return
    own = open_method(name, SETTINGS, segmenter, tracker)
    out = fed(own, frames)
    mapped = open_method(name, SETTINGS, segmenter, tracker, mapping)
    assert mapped.label_set is mapping.label_set
    got = labels(fed(mapped, frames))
    learnt = mapped.learner.learnt()
    assert all(torch.equal(value, learnt[key]) for key, value in own.learner.learnt().items())
    assert int(got.max()) == 1
    # What is sky against each other class is sky against all of them together.
    expected = labels(out) == 0
    assert (expected == (got == 1)).float().mean() > 0.97
    assert expected.float().mean() > 0.05


def test_an_unknown_method() -> None:
    with pytest.raises(MethodError) as told:
        open_method('deva', SETTINGS)
    assert str(told.value) == (
        'a method is one of iss, ditta, zero_shot, bn_only, tent, cotta, auxadapt, true_labels, '
        "got 'deva'")


def test_a_loaded_head_is_no_method(segmenter) -> None:
    settings = from_flat({'checkpoint.load_at_start': True, 'checkpoint.path': 'x'})
    with pytest.raises(SettingError, match=r'checkpoint\.load_at_start must be False'):
        open_method('ditta', settings, segmenter)
