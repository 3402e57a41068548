"""Labels that become worse after the freezing: a warning, or a new warm-up."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest
import torch

from ditta_ros.frame import Frame
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Session
from ditta_ros.settings import AdaptationSettings, Settings, WarmUpSettings
from fakes import InstanceTracker
from random_models import save_random_segformer
from sessions import SIZE_PX, finish, stream

WINDOW = 10
LONG = 200


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path_factory.mktemp('segformer'))))


def session(segmenter: Segmenter, amount: float = 2.0, **adaptation: Any) -> Session:
    tracker = InstanceTracker(torch.ones((LONG, *SIZE_PX), dtype=torch.int64))
    return Session(Settings(
        warm_up=WarmUpSettings(amount=amount),
        adaptation=AdaptationSettings(
            **{'passes': 1, 'held_out_percent': 0.0, 'drift_window_frames': WINDOW,
               **adaptation})),
        segmenter, tracker if amount else None)


def show(walk: Session, first: int, frames: int, flickers: bool) -> list[Phase]:
    """Feed frames of one still image, 100 ms apart, or of two that take turns."""
    stills = [frame.rgb for frame in stream(2)]
    stills[1] = stills[1].flip(0).flip(1)
    phases = []
    for t in range(first, first + frames):
        out = walk.feed(Frame(t * 10**8, 'camera', stills[t % 2 if flickers else 0]))
        phases.append(out.phase)
        finish(walk)
    return phases


@pytest.mark.parametrize('amount', [0.0, 2.0])
def test_flicker_is_told_and_goes_when_it_ends(
    segmenter: Segmenter, amount: float, caplog: pytest.LogCaptureFixture,
) -> None:
    walk = session(segmenter, amount)
    show(walk, 0, 2 + WINDOW + 1, False)
    assert walk.phase is Phase.FROZEN
    assert walk.status()['drift'] == ''
    with caplog.at_level(logging.WARNING):
        assert set(show(walk, 20, 3 * WINDOW, True)) == {Phase.FROZEN}
    assert 'flicker' in walk.status()['drift']
    assert len([text for text in caplog.messages if 'become worse' in text]) == 1
    show(walk, 60, 2 * WINDOW, False)
    assert walk.status()['drift'] == ''


def test_off_means_that_nothing_is_looked_for(segmenter: Segmenter) -> None:
    walk = session(segmenter, on_drift='off')
    show(walk, 0, 2 + WINDOW + 1, False)
    show(walk, 20, 3 * WINDOW, True)
    assert walk.status()['drift'] == ''


def test_readapt_begins_a_warm_up_and_measures_anew(segmenter: Segmenter) -> None:
    walk = session(segmenter, on_drift='readapt', readapt_min_interval_s=0.0)
    show(walk, 0, 2 + WINDOW + 1, False)
    phases = show(walk, 20, 3 * WINDOW, True)
    # The frame by which it was found, and the warm-up's two.
    assert phases.count(Phase.WARM_UP) == 3
    status = walk.status()
    assert (status['phase'], status['promoted'], status['drift']) == ('frozen', True, '')
    # What flickered when the new model was new is its measure.
    assert set(show(walk, 50, 3 * WINDOW, True)) == {Phase.FROZEN}


def test_readapt_waits_for_its_time_by_the_stamps(segmenter: Segmenter) -> None:
    walk = session(segmenter, on_drift='readapt', readapt_min_interval_s=6.0)
    show(walk, 0, 2 + WINDOW + 1, False)
    assert set(show(walk, 20, 3 * WINDOW, True)) == {Phase.FROZEN}
    assert walk.status()['drift']
    assert Phase.WARM_UP in show(walk, 50, 2 * WINDOW, True)


def test_readapt_may_be_asked_for_while_it_runs(segmenter: Segmenter) -> None:
    walk = session(segmenter, readapt_min_interval_s=0.0)
    show(walk, 0, 2 + WINDOW + 1, False)
    assert set(show(walk, 20, 3 * WINDOW, True)) == {Phase.FROZEN}
    walk.settings = dataclasses.replace(walk.settings, adaptation=dataclasses.replace(
        walk.settings.adaptation, on_drift='readapt'))
    assert show(walk, 50, 3, True) == [Phase.WARM_UP] * 3
