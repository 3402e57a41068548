"""Sessions on the demo world: what the guard lets label, in which colours, and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ditta_ros.demo.shifts import parse
from ditta_ros.demo.world import stream
from ditta_ros.frame import Frame
from ditta_ros.guard import Evidence
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import from_flat
from fakes import InstanceTracker
from sessions import finish, same

WARM_UP, FRAMES, SIZE_PX = 8, 10, (192, 256)
VALUES = {'warm_up.amount': float(WARM_UP), 'adaptation.passes': 1}


@pytest.fixture(scope='module')
def segmenter() -> Segmenter:
    return Segmenter.load('')


@pytest.fixture(scope='module')
def cast() -> tuple[list[Frame], torch.Tensor]:
    """Frames in a colour cast, and their instances."""
    shown = list(stream(600, FRAMES, 10.0, parse('colour_cast:0.5')))
    frames = [Frame(t * 100_000_000, 'camera', torch.from_numpy(each.rgb))
              for t, each in enumerate(shown)]
    return frames, torch.stack([torch.from_numpy(each.instance).long() for each in shown])


def walked(segmenter: Segmenter, cast: tuple, **values: object) -> Session:
    frames, instance = cast
    walk = Session(from_flat({**VALUES, **values}), segmenter, InstanceTracker(instance))
    for frame in frames[:WARM_UP]:
        walk.feed(frame)
        finish(walk)
    return walk


@pytest.mark.parametrize('kept', [{}, {'adaptation.features_dtype': 'float16'}])
def test_what_is_better_labels_in_the_colours_of_the_training(segmenter, cast, kept) -> None:
    walk = walked(segmenter, cast, **kept)
    status = walk.status()
    assert status['promoted'], status['why']
    assert 'held-out targets' in status['why']
    assert (status['adaptation_steps'], status['adaptation_faults']) == (6, 0)  # 2 of 8 held out
    frame = cast[0][WARM_UP]
    surer = walk.feed(frame).reliability.mean()
    assert surer > Session(
        from_flat({'warm_up.amount': 0.0}), segmenter, None).feed(frame).reliability.mean() + 0.05


def test_what_the_guard_refuses_does_not_label(segmenter, cast, monkeypatch) -> None:
    monkeypatch.setattr('ditta_ros.guard.LESS_AGREEMENT', -1.0)  # no gain is large enough
    walk = walked(segmenter, cast)
    status = walk.status()
    assert (status['phase'], status['promoted'], status['model']) == ('frozen', False, 'iss')
    assert status['why'].startswith('not promoted by the guard: it agrees less')
    plain = Session(from_flat({'warm_up.amount': 0.0}), segmenter, None)
    frame = cast[0][WARM_UP]
    assert torch.equal(walk.feed(frame).label, plain.feed(frame).label)


def test_where_no_class_is_kept_a_quarter_of_what_was_learnt_labels(
    segmenter, cast, monkeypatch,
) -> None:
    monkeypatch.setattr('ditta_ros.trial.KEPT', 2.0)
    monkeypatch.setattr('ditta_ros.guard.MADE_UP', 1.0)
    scaled = walked(segmenter, cast)
    status = scaled.status()
    assert status['promoted'] and status['adaptation_faults'] == 0
    assert 'with 25 % of the learnt share' in status['why']
    monkeypatch.undo()
    quarter = walked(segmenter, cast, **{'adaptation.learnt_share': 0.5 / 4})
    assert 'with 100 % of the learnt share' in quarter.status()['why']
    for walk in (scaled, quarter):
        walk.restart('the stream begins')
    assert same(scaled, quarter, cast[0][WARM_UP:])


def test_without_a_guard_nothing_is_held_out_and_nobody_asked(
    segmenter, cast, monkeypatch,
) -> None:
    monkeypatch.setattr(Evidence, 'of', None)
    status = walked(segmenter, cast, **{'adaptation.held_out_percent': 0.0}).status()
    assert status['promoted']
    assert status['adaptation_steps'] == WARM_UP


def test_a_file_brings_its_colours(segmenter, cast, tmp_path: Path) -> None:
    walk = walked(segmenter, cast)
    walk.save(tmp_path / 'head.safetensors')
    other = Session(from_flat({'warm_up.amount': 0.0}), segmenter, None)
    other.load(tmp_path / 'head.safetensors')
    walk.restart('the stream begins')
    assert same(walk, other, cast[0][WARM_UP:])
    # A new warm-up is taught by the plain model again, in the colours that come.
    walk.start_warm_up()
    walk.feed(cast[0][0])
    recorded = walk._course._warm_up._recorded[0]
    torch.testing.assert_close(recorded.features, segmenter.encode(cast[0][0]))


def test_learning_that_gets_worse_on_held_out_frames_stops_early(
    segmenter, cast, monkeypatch,
) -> None:
    heard: list[float] = []

    def loss(self, sample) -> float:
        heard.append(float(len(heard) // 2))  # of two frames held out; rises from pass to pass
        return heard[-1]

    monkeypatch.setattr('ditta_ros.adaptation.Adapter.loss', loss)
    values = {'adaptation.passes': 3}
    walk = walked(segmenter, cast, **values, **{'adaptation.early_stop': True})
    status = walk.status()
    assert (status['adaptation_steps'], status['adaptation_steps_planned']) == (12, 18)
    assert (len(heard), status['adaptation_faults']) == (4, 0)
    assert status['promoted'], status['why']
    # What labels is what the first pass left.
    assert same(walk, walked(segmenter, cast), cast[0][WARM_UP:])


def test_classes_have_back_what_learning_took(segmenter, cast, monkeypatch) -> None:
    """Here to the last pixel that is surely theirs."""
    monkeypatch.setattr('ditta_ros.given_back.KEPT', 0.9999)
    walk, without = (walked(segmenter, cast, **{'adaptation.class_guard': name})
                     for name in ('give_back', 'none'))
    assert 'logits given back to classes: ' in walk.status()['why']
    assert walk.status()['adaptation_faults'] == 0
    assert not same(walk, without, cast[0][WARM_UP:])


def test_a_session_takes_colours_as_far_as_it_is_told(segmenter, cast) -> None:
    """Nowhere is where they came from."""
    nowhere, kept = (walked(segmenter, cast, **values) for values in (
        {'adaptation.colours_share': 0.0}, {'adaptation.colours': 'keep'}))
    assert same(nowhere, kept, cast[0][WARM_UP:])
    halfway = walked(segmenter, cast, **{'adaptation.colours_share': 0.5})
    assert halfway.status()['promoted']
    assert not same(halfway, kept, cast[0][WARM_UP:])
