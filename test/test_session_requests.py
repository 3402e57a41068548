"""What a session is asked for from outside: warm-up, freeze, restart, save and load."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ditta_ros.adaptation import Adapter, Losses, Sample
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, RequestError, Session
from ditta_ros.settings import (
    AdaptationSettings,
    Settings,
    WarmUpSettings,
)
from fakes import InstanceTracker
from random_models import save_random_segformer
from sessions import SIZE_PX, WARM_UP, adapted, finish, same, session, stream


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_segformer(tmp_path_factory.mktemp('segformer'))


@pytest.fixture(scope='module')
def segmenter(model: Path) -> Segmenter:
    return Segmenter.load(str(model))


def plain(segmenter: Segmenter) -> Session:
    return Session(Settings(warm_up=WarmUpSettings(amount=0.0)), segmenter, None)


def test_a_second_warm_up_is_taught_by_the_frozen_model_and_labelled_by_the_adapted(
    segmenter: Segmenter, tmp_path: Path,
) -> None:
    walk, other = adapted(segmenter), adapted(segmenter)
    walk.save(tmp_path / 'first.safetensors')
    walk.start_warm_up()
    assert (walk.phase, walk.status()['model']) == (Phase.WARM_UP, 'adapted')
    for frame in stream()[:WARM_UP]:
        out, adapts = walk.feed(frame), other.feed(frame)
        assert out.phase is Phase.WARM_UP
        assert torch.equal(out.label, adapts.label)
        assert torch.equal(out.reliability, adapts.reliability)
        finish(walk)
    assert walk.phase is Phase.FROZEN
    assert walk.status()['adaptation_steps'] == 2 * WARM_UP
    walk.save(tmp_path / 'second.safetensors')
    first, second = (load_file(tmp_path / f'{name}.safetensors') for name in ('first', 'second'))
    # The frozen model's labels and its head as the start: the same frames teach the same again.
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_new_warm_up_begins_at_any_time(segmenter: Segmenter) -> None:
    walk = session(segmenter)
    for frame in stream()[:WARM_UP]:
        walk.feed(frame)
    while walk.phase is not Phase.ADAPT:
        walk.work()
    walk.work()
    walk.start_warm_up()
    status = walk.status()
    assert (status['phase'], status['why']) == ('warm_up', 'warming up: 0 frames of 3')
    assert status['adaptation_steps'] == status['warm_up_frames'] == 0
    assert not walk.work()
    assert walk.feed(stream()[4]).phase is Phase.WARM_UP
    assert walk.status()['warm_up_frames'] == 1


def test_without_a_tracker_no_warm_up_begins(segmenter: Segmenter) -> None:
    walk = plain(segmenter)
    assert walk.status()['why'] == 'no tracker, as warm_up.amount is 0: plain SegFormer labels'
    with pytest.raises(RequestError, match=r'warm_up\.amount above 0, got 0: set it'):
        walk.start_warm_up()
    assert walk.phase is Phase.FROZEN


@pytest.mark.parametrize('steps', [0, 2])
def test_freeze_keeps_what_has_been_learnt_from_the_first_step_on(
    steps: int, segmenter: Segmenter,
) -> None:
    walk = session(segmenter)
    for frame in stream()[:WARM_UP]:
        walk.feed(frame)
    while walk.phase is not Phase.ADAPT:
        walk.work()
    for _ in range(steps):
        walk.work()
    walk.freeze()
    status = walk.status()
    assert (status['phase'], status['unit']) == ('frozen', 'none')
    assert status['promoted'] == (steps > 0)
    assert status['why'] == (
        'frozen by request after 2 steps, not judged' if steps else
        'frozen by request before any step of learning')
    assert (status['adaptation_steps'], status['warm_up_frames']) == (steps, WARM_UP)
    assert not walk.work()
    assert same(walk, plain(segmenter)) == (steps == 0)


def test_freeze_ends_a_warm_up_and_frees_the_tracker(segmenter: Segmenter) -> None:
    tracker = InstanceTracker(torch.ones((1, *SIZE_PX), dtype=torch.int64))
    settings = Settings(adaptation=AdaptationSettings(statistics='keep'))
    walk = Session(settings, segmenter, tracker)
    walk.freeze()
    assert walk.phase is Phase.FROZEN
    walk.start_warm_up()
    walk.feed(stream()[0])
    finish(walk)
    assert tracker.instances
    walk.freeze()
    assert not tracker.instances
    assert walk.feed(stream()[1]).phase is Phase.FROZEN
    assert walk.status()['warm_up_frames'] == 1


def test_freeze_in_a_second_warm_up_keeps_the_adapted_model(segmenter: Segmenter) -> None:
    walk = adapted(segmenter)
    walk.start_warm_up()
    walk.freeze()
    assert walk.status()['promoted']
    why = walk.status()['why']
    walk.freeze()
    assert walk.status()['why'] == why
    assert same(walk, adapted(segmenter))


def test_restart_begins_a_warm_up_again(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    walk = session(segmenter)
    walk.restart('nothing was seen yet')
    walk.feed(stream()[0])
    walk.restart('the encoding changed from rgb8 to mono8')
    assert walk.status()['warm_up_frames'] == 0
    walk.feed(stream()[1])
    assert (walk.status()['warm_up_frames'], walk.status()['warm_up_restarts']) == (1, 1)
    told = [text for text in caplog.messages if text.startswith('warm-up starts again')]
    assert told == [
        'warm-up starts again after 1 frames: the encoding changed from rgb8 to mono8']


def test_restart_leaves_learning_and_the_adapted_model(segmenter: Segmenter) -> None:
    walk = session(segmenter)
    for frame in stream()[:WARM_UP]:
        walk.feed(frame)
    while walk.phase is not Phase.ADAPT:
        walk.work()
    walk.restart('the encoding changed')
    finish(walk)
    assert (walk.status()['promoted'], walk.status()['warm_up_restarts']) == (True, 0)
    frames = stream()
    first = walk.feed(frames[4])
    follows = walk.feed(frames[5])
    walk.feed(frames[4])
    walk.restart('the encoding changed')
    assert torch.equal(walk.feed(frames[4]).reliability, first.reliability)
    assert torch.equal(walk.feed(frames[5]).reliability, follows.reliability)


def test_the_next_unit_is_what_work_does(segmenter: Segmenter) -> None:
    walk = session(segmenter, amount=4.0)
    walk.settings = dataclasses.replace(walk.settings, adaptation=AdaptationSettings(
        passes=2, when='while_warming_up', held_out_percent=0.0))
    assert walk.next_unit == 'none'
    units = []
    for frame in stream()[:4]:
        walk.feed(frame)
        while (unit := walk.next_unit) != 'none':
            steps = walk.status()['adaptation_steps']
            worked, phase = walk.work(), walk.phase
            learnt = walk.status()['adaptation_steps'] > steps
            assert worked or unit == 'track'  # once more than there is to track
            assert learnt == (unit == 'learn' and phase is not Phase.FROZEN)
            units.append(unit)
            assert walk.status()['unit'] == walk.next_unit
        assert not walk.work()
    assert units.count('learn') == 2 * 4 + 1  # and the exchange of the model
    assert walk.phase is Phase.FROZEN


def test_the_status_says_why(segmenter: Segmenter) -> None:
    walk = session(segmenter)
    walk.feed(stream()[0])
    status = walk.status()
    assert (status['why'], status['promoted']) == ('warming up: 1 frames of 3', False)
    for frame in stream()[1:WARM_UP]:
        walk.feed(frame)
    while walk.phase is not Phase.ADAPT:
        walk.work()
    assert walk.status()['why'] == 'learning: 0 steps of 6'
    finish(walk)
    status = walk.status()
    assert (status['why'], status['promoted']) == ('adapted on 3 frames, 6 steps', True)
    assert len(status['model_hash']) == 12
    assert json.loads(json.dumps(status)) == status


def test_weights_that_are_not_finite_are_not_used(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    def explode(self: Adapter, sample: Sample) -> Losses:
        with torch.no_grad():
            self.head.classifier.bias.fill_(torch.nan)
        return Losses(0.0, 0.0, 0.0, 0.0)

    monkeypatch.setattr(Adapter, 'step', explode)
    walk = adapted(segmenter)
    assert (walk.phase, walk.status()['promoted']) == (Phase.FROZEN, False)
    assert 'after 6 steps the weights were not finite' in walk.status()['why']
    assert 'lower adaptation.learning_rate' in caplog.text
    assert same(walk, plain(segmenter))


def test_a_head_that_could_not_learn_is_not_used(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: Adapter, sample: Sample) -> Losses:
        raise RuntimeError('no convergence')

    monkeypatch.setattr(Adapter, 'step', fail)
    walk = session(segmenter)
    walk.settings = dataclasses.replace(walk.settings, adaptation=AdaptationSettings(
        passes=2, max_bad_steps=100, held_out_percent=0.0))
    for frame in stream()[:WARM_UP]:
        walk.feed(frame)
    finish(walk)
    status = walk.status()
    assert (walk.phase, status['promoted'], status['adaptation_faults']) == (
        Phase.FROZEN, False, 6)
    assert status['why'].startswith('none of 6 steps of learning went well')
    assert same(walk, plain(segmenter))
