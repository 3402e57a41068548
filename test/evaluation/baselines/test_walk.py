"""Warm-up, learning and freezing of a baseline are those of a session."""

from __future__ import annotations

import logging
from functools import partial

import pytest
import torch

from ditta_ros.evaluation.baselines import TrueFrame, open_method
from ditta_ros.evaluation.baselines.tent import Tent, TentSettings
from ditta_ros.evaluation.baselines.walk import Walk, Window
from ditta_ros.frame import Frame
from ditta_ros.settings import WarmUpSettings, from_flat
from ditta_ros.warm_up import WarmUp
from fakes import InstanceTracker

BN_ONLY = {'warm_up.amount': 3.0, 'adaptation.passes': 2}


def blank(stamp_ms: int, size_px: tuple[int, int] = (32, 48)) -> Frame:
    return Frame(stamp_ms * 1_000_000, 'camera', torch.zeros((*size_px, 3), dtype=torch.uint8))


@pytest.mark.parametrize(('rule', 'taken'), [
    ({'amount': 3.0}, 3),
    ({'amount': 0.5}, 1),
    ({'unit': 'percent', 'amount': 25.0, 'stream_length_frames': 9}, 2),
    ({'unit': 'percent', 'amount': 1.0, 'stream_length_frames': 9}, 1),
    ({'unit': 'percent', 'amount': 100.0, 'stream_length_frames': 5}, 5),
    ({'unit': 'seconds', 'amount': 0.3}, 3),  # the frame at 300 ms is too late
    ({'unit': 'seconds', 'amount': 0.31}, 4),
])
def test_the_window_is_that_of_a_warm_up(rule, taken) -> None:
    settings = from_flat({f'warm_up.{name}': value for name, value in rule.items()})
    window = Window(WarmUpSettings(**rule))
    warm_up = WarmUp(settings, InstanceTracker(torch.zeros(1, 32, 48)), 5, (32, 48))
    nothing = torch.zeros(32, 48)
    got, theirs = [], []
    for t in range(5):
        frame = blank(1000 + 100 * t)
        got.append(window.takes(frame))
        theirs.append(warm_up.takes(frame))
        if theirs[-1]:
            warm_up.record(frame, (nothing,) * 4, nothing, nothing)
    assert got == theirs == [t < taken for t in range(5)]
    assert window.frames == warm_up.frames == taken


def test_phases_and_status_on_the_way(segmenter, frames) -> None:
    method = open_method('bn_only', from_flat(BN_ONLY), segmenter)
    assert method.status()['why'] == 'warming up: 0 frames of 3'
    assert method.next_unit == 'learn' and not method.work() and method.next_unit == 'none'
    for frame in frames[:3]:
        assert method.feed(frame).phase.value == 'warm_up'
    assert method.status()['why'] == 'warming up: 3 frames of 3'
    assert method.next_unit == 'learn' and method.work()
    # A frame that comes while it learns is labelled, and not learnt from.
    assert method.feed(frames[3]).phase.value == 'adapt'
    assert method.status()['why'] == 'learning: 1 steps'
    assert not method.status()['promoted']
    units = 1
    while method.work():
        units += 1
    assert units == 7  # 3 frames twice, and the freezing
    assert method.status() == {
        'phase': 'frozen', 'why': 'frozen after 3 frames, 6 steps, 0 objects', 'promoted': True,
        'unit': 'none', 'frames': 4, 'warm_up_frames': 3, 'warm_up_restarts': 0, 'objects': 0,
        'adaptation_steps': 6}


def test_an_open_warm_up_learns_nothing_before_it_is_closed(segmenter, frames, fed) -> None:
    method = open_method('bn_only', from_flat({**BN_ONLY, 'warm_up.amount': 100.0}), segmenter)
    fed(method, frames[:2])
    assert method.status()['phase'] == 'warm_up' and not method.work()
    method.end_of_stream()
    while method.work():
        pass
    assert method.status()['why'] == 'frozen after 2 frames, 4 steps, 0 objects'


def test_a_warm_up_by_seconds_says_so(segmenter) -> None:
    values = {'warm_up.unit': 'seconds', 'warm_up.amount': 2.5}
    method = open_method('tent', from_flat(values), segmenter)
    assert method.status()['why'] == 'warming up: 0 frames in 2.5 s'


@pytest.mark.parametrize('jump', ['stamp', 'size'])
def test_a_jump_begins_an_open_warm_up_anew(segmenter, frames, fed, jump, caplog) -> None:
    values = {'warm_up.amount': 3.0, 'adaptation.passes': 1}
    method = open_method('tent', from_flat(values), segmenter)
    fed(method, frames[:2])
    assert method.status()['adaptation_steps'] == 2
    other = frames[:5] if jump == 'stamp' else [
        TrueFrame(frame.stamp_ns + 10 ** 9, frame.frame_id, frame.rgb[:64].contiguous())
        for frame in frames[:5]]
    got = fed(method, other)
    assert method.status()['warm_up_restarts'] == 1
    assert method.status()['adaptation_steps'] == method.status()['warm_up_frames'] == 3
    assert 'warm-up starts again after 2 frames' in caplog.text
    anew = fed(open_method('tent', from_flat(values), segmenter), other)
    assert all(torch.equal(one.label, two.label) for one, two in zip(got, anew, strict=True))


def test_what_is_not_finite_does_not_label(segmenter, frames, fed, caplog) -> None:
    settings = from_flat({'warm_up.amount': 3.0})
    rule = TentSettings(learning_rate=1e30)
    method = Walk(settings, segmenter, partial(Tent, settings, segmenter, rule=rule))
    with caplog.at_level(logging.ERROR):
        out = fed(method, frames)
    plain = fed(open_method('iss', settings, segmenter), frames)
    for got, expected in zip(out[3:], plain[3:], strict=True):
        assert torch.equal(got.label, expected.label)
    status = method.status()
    assert not status['promoted'] and status['adaptation_steps'] == 3
    assert status['why'] == (
        'what was learnt is not finite, plain SegFormer labels: 3 frames, 3 steps, 0 objects')
    assert status['why'] in caplog.text


@pytest.mark.parametrize('name', ['bn_only', 'zero_shot', 'tent', 'cotta', 'true_labels'])
def test_large_frames_are_shrunk_and_their_labels_enlarged(
    name, segmenter, frames, fed,
) -> None:
    settings = from_flat({
        'warm_up.amount': 1.0, 'adaptation.passes': 1, 'segmenter.max_side_px': 64})
    method = open_method(name, settings, segmenter)
    for out in fed(method, frames[:2]):
        assert out.label.shape == out.reliability.shape == (96, 128)
    # Twice as large each way: pixels come in squares of four.
    squares = out.label.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2)
    assert (squares == squares[..., :1]).all()
    assert method.status()['phase'] == 'frozen'


def test_a_closed_method_is_the_plain_segmenter(segmenter, frames, fed) -> None:
    settings = from_flat(BN_ONLY)
    method = open_method('bn_only', settings, segmenter)
    fed(method, frames[:4])
    method.close()
    assert method.status()['why'] == 'closed' and not method.status()['promoted']
    plain = fed(open_method('iss', settings, segmenter), frames[4:5])
    assert torch.equal(fed(method, frames[4:5])[0].label, plain[0].label)
