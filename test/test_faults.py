"""Whatever goes wrong in the adaptation, every frame gets the labels it would have had."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from ditta_ros.adaptation import Adapter, BadStepError, Losses, Sample
from ditta_ros.faults import Endurance, Fault, out_of_memory
from ditta_ros.labeller import TemporalLabeller
from ditta_ros.prompts import Prompt
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Session
from ditta_ros.settings import AdaptationSettings, Settings, TrackerSettings, WarmUpSettings
from ditta_ros.tracker import Started
from fakes import InstanceTracker
from random_models import save_random_segformer
from sessions import FRAMES, SIZE_PX, finish, stream

ERRORS = [
    RuntimeError('no kernel image'), torch.OutOfMemoryError('CUDA out of memory'), MemoryError(),
    ArithmeticError('division'), OSError('disk'), ValueError('a value')]


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path_factory.mktemp('segformer'))))


class FaultyTracker(InstanceTracker):
    """Raises what it is given at calls of ``track`` by their numbers, from 0; keeps past frames.

    Every pixel of a small square is an object of its own.
    """

    def __init__(self, faults: dict[int, Exception]) -> None:
        rows, columns = (torch.arange(size) // 12 for size in SIZE_PX)
        instance = rows[:, None] * 100 + columns
        super().__init__(instance.expand(FRAMES, *SIZE_PX))
        self.faults, self.calls, self.past = faults, 0, -1

    def keep_past(self, frames: int) -> None:
        self.past = frames

    def prompt(self, prompts: Sequence[Prompt]) -> Started:
        # After a fault it counts frames anew.
        return super().prompt([dataclasses.replace(prompt, t=self.t) for prompt in prompts])

    def track(self, rgb: Tensor) -> dict[int, Tensor]:
        fault = self.faults.get(self.calls)
        self.calls += 1
        if fault is not None:
            raise fault
        return super().track(rgb)


def settings(**adaptation: object) -> Settings:
    return Settings(
        warm_up=WarmUpSettings(amount=FRAMES), tau=0.5,
        tracker=TrackerSettings(backward_buffer_frames=8),
        # Nothing is tried first: each frame is tracked as it comes.
        adaptation=AdaptationSettings(**{
            'passes': 2, 'held_out_percent': 0.0, 'statistics': 'keep', **adaptation}))


def labels(walk: Session) -> list[Tensor]:
    """Label twice the warm-up's frames, with all work between them."""
    out = []
    for frame in stream(2 * FRAMES):
        out.append(walk.feed(frame).label)
        finish(walk)
    return out


@pytest.fixture
def iss_labels(segmenter: Segmenter) -> list[Tensor]:
    return labels(Session(Settings(warm_up=WarmUpSettings(amount=0.0)), segmenter, None))


def all_equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_one_fault_of_the_tracker_costs_one_frame_of_the_warm_up(
    segmenter: Segmenter, error: Exception,
) -> None:
    walk = Session(settings(), segmenter, FaultyTracker({2: error}))
    assert len(labels(walk)) == 2 * FRAMES
    status = walk.status()
    assert (status['promoted'], status['abandoned']) == (True, False)
    assert (status['adaptation_faults'], status['warm_up_frames']) == (1, FRAMES)
    assert status['last_fault'].startswith(type(error).__name__)


def test_a_tracker_that_always_fails_is_given_up(
    segmenter: Segmenter, iss_labels: list[Tensor], caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = FaultyTracker(dict.fromkeys(range(100), RuntimeError('no kernel image')))
    walk = Session(settings(max_bad_steps=3), segmenter, tracker)
    assert all_equal(labels(walk), iss_labels)
    status = walk.status()
    assert (status['phase'], status['promoted'], status['abandoned']) == ('frozen', False, True)
    assert status['why'] == (
        'adaptation abandoned: 3 faults in a row, the last: RuntimeError: no kernel image')
    assert tracker.calls == 3
    assert 'the model in force goes on: 3 faults in a row' in caplog.text
    walk.start_warm_up()
    assert not walk.status()['abandoned']


def test_faults_that_are_not_in_a_row_are_borne(segmenter: Segmenter) -> None:
    tracker = FaultyTracker(dict.fromkeys(range(0, 100, 2), RuntimeError('now and then')))
    walk = Session(settings(max_bad_steps=2), segmenter, tracker)
    labels(walk)
    assert walk.status()['promoted']
    assert walk.status()['adaptation_faults'] == FRAMES / 2


def test_where_memory_runs_out_objects_and_buffer_are_halved(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    tracker = FaultyTracker({3: torch.OutOfMemoryError('CUDA out of memory')})
    walk = Session(settings(), segmenter, tracker)
    for frame in stream(3):
        walk.feed(frame)
        finish(walk)
    objects = walk.status()['objects']
    assert objects > 3
    for frame in stream(FRAMES)[3:]:
        walk.feed(frame)
        finish(walk)
    status = walk.status()
    assert objects < status['objects'] <= objects + objects // 2
    assert tracker.past == 4
    assert status['promoted']
    assert (f'from now on {objects // 2} more objects and 4 past frames at most') in caplog.text


@pytest.mark.parametrize(('max_bad_steps', 'calls', 'past', 'why'), [
    # The buffer is halved from 8 past frames to none by four of them; the fifth is too many.
    (100, 5, 0, 'memory ran out, and nothing can be reduced: OutOfMemoryError'),
    (3, 3, 2, '3 faults in a row, the last: OutOfMemoryError')])
def test_where_it_runs_out_again_and_again_adaptation_is_abandoned(
    segmenter: Segmenter, iss_labels: list[Tensor], max_bad_steps: int, calls: int, past: int,
    why: str,
) -> None:
    tracker = FaultyTracker(dict.fromkeys(range(100), torch.OutOfMemoryError('CUDA')))
    walk = Session(settings(max_bad_steps=max_bad_steps), segmenter, tracker)
    assert all_equal(labels(walk), iss_labels)
    assert walk.status()['why'].startswith(f'adaptation abandoned: {why}')
    assert (tracker.calls, tracker.past) == (calls, past)


@pytest.mark.parametrize('when', ['after_warm_up', 'while_warming_up'])
def test_where_memory_runs_out_in_learning_it_is_abandoned(
    segmenter: Segmenter, iss_labels: list[Tensor], monkeypatch: pytest.MonkeyPatch, when: str,
) -> None:
    def fail(self: Adapter, sample: Sample) -> Losses:
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(Adapter, '_step', fail)
    walk = Session(settings(when=when), segmenter, FaultyTracker({}))
    assert all_equal(labels(walk), iss_labels)
    assert walk.status()['abandoned']
    assert 'OutOfMemoryError: CUDA out of memory' in walk.status()['why']


def test_where_labels_lack_memory_the_adaptation_makes_room(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, iss_labels: list[Tensor],
) -> None:
    walk = Session(settings(), segmenter, FaultyTracker({}))
    label, calls = walk._model.label, []

    def short(*args: object) -> object:
        calls.append(walk.phase)
        if len(calls) == 4:
            raise torch.OutOfMemoryError('CUDA out of memory')
        return label(*args)

    monkeypatch.setattr(walk._model, 'label', short)
    assert all_equal(labels(walk), iss_labels)
    assert calls[3:5] == [Phase.WARM_UP, Phase.FROZEN]
    assert walk.status()['why'].startswith('adaptation abandoned: labels need its memory')


def test_labels_that_fail_for_another_reason_fail(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError('no kernel image')

    walk = Session(settings(), segmenter, FaultyTracker({}))
    monkeypatch.setattr(walk._model, 'label', fail)
    with pytest.raises(RuntimeError, match='no kernel'):
        walk.feed(stream()[0])
    assert walk.phase is Phase.WARM_UP


def test_a_frame_that_cannot_be_recorded_is_labelled(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch,
) -> None:
    walk = Session(settings(), segmenter, FaultyTracker({}))
    walk.feed(stream()[0])
    finish(walk)
    record = walk._course._warm_up.record

    def fail(*_: object) -> None:
        monkeypatch.setattr(walk._course._warm_up, 'record', record)
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(walk._course._warm_up, 'record', fail)
    assert walk.feed(stream()[1]).label.shape == SIZE_PX
    assert (walk.status()['warm_up_frames'], walk.status()['adaptation_faults']) == (1, 1)
    walk.feed(stream()[2])
    assert walk.status()['warm_up_frames'] == 2


def test_what_goes_wrong_in_the_exchange_leaves_the_model_in_force(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, iss_labels: list[Tensor],
) -> None:
    def fail(self: TemporalLabeller, *_: object) -> None:
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(TemporalLabeller, '__init__', fail)
    walk = Session(settings(), segmenter, FaultyTracker({}))
    assert all_equal(labels(walk), iss_labels)
    assert (walk.status()['abandoned'], walk.status()['promoted']) == (True, False)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_steps_whose_loss_is_not_finite_are_dropped_and_then_abandoned(
    segmenter: Segmenter, iss_labels: list[Tensor], monkeypatch: pytest.MonkeyPatch,
    value: float, caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(
        'ditta_ros.adaptation.distill_loss', lambda scores, *rest: scores.sum() * value)
    walk = Session(settings(max_bad_steps=4), segmenter, FaultyTracker({}))
    with caplog.at_level(logging.WARNING):
        assert all_equal(labels(walk), iss_labels)
    status = walk.status()
    assert (status['adaptation_faults'], status['adaptation_steps']) == (4, 0)
    assert status['why'].startswith(
        'adaptation abandoned: 4 faults in a row, the last: BadStepError: the loss of a step')
    assert not any(record.exc_info for record in caplog.records)


def test_learning_goes_on_after_a_bad_step(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, calls = Adapter._step, []

    def bad(self: Adapter, sample: Sample) -> Losses:
        losses = step(self, sample)
        calls.append(losses)
        return dataclasses.replace(losses, total=float('nan')) if len(calls) == 3 else losses

    monkeypatch.setattr(Adapter, '_step', bad)
    walk = Session(settings(), segmenter, FaultyTracker({}))
    labels(walk)
    status = walk.status()
    assert (status['promoted'], status['adaptation_faults']) == (True, 1)
    assert status['adaptation_steps'] == status['adaptation_steps_planned'] - 1


@pytest.mark.parametrize(('error', 'expected'), [
    (MemoryError(), True),
    (torch.OutOfMemoryError('CUDA out of memory'), True),
    (RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: "
                  'you tried to allocate 4 bytes'), True),
    (RuntimeError('no kernel image'), False),
])
def test_which_errors_mean_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) == expected


def test_what_torch_raises_without_memory_is_known() -> None:
    with pytest.raises((RuntimeError, MemoryError)) as raised:
        torch.empty(2 ** 60, dtype=torch.uint8)
    assert out_of_memory(raised.value)


def test_a_fault_keeps_no_tensor_alive(caplog: pytest.LogCaptureFixture) -> None:
    fault = Fault.of(BadStepError('one\nline'), 'a step')
    assert fault == Fault('BadStepError: one line', False)
    endurance = Endurance()
    endurance.note(fault)
    endurance.note(fault)
    assert (endurance.faults, endurance.in_a_row, endurance.last) == (2, 2, fault.text)
    endurance.went_well()
    assert (endurance.faults, endurance.in_a_row) == (2, 0)
    assert caplog.messages == ['a step failed: BadStepError: one line']
