"""How the embedded segmenter teaches best, on streams of the demo world."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import Tensor

from ditta_ros.calibration import FRAMES, Calibration, with_statistics
from ditta_ros.colours import Colours
from ditta_ros.demo.shifts import parse
from ditta_ros.demo.world import stream
from ditta_ros.labeller import IssLabeller, Labelled
from ditta_ros.segmenter import Segmenter
from small_samples import small_head, small_sample

TAU = 0.8


@pytest.fixture(scope='module')
def segmenter() -> Segmenter:
    return Segmenter.load('')


def pictures(shift: str) -> list[Tensor]:
    return [torch.from_numpy(frame.rgb) for frame in stream(600, FRAMES, 10.0, parse(shift))]


def plain(segmenter: Segmenter, shown: list[Tensor]) -> list[Labelled]:
    labeller, labelled = IssLabeller(segmenter.head), []
    for each in shown:
        features = segmenter.encode(each)
        labelled.append(Labelled(
            features, *labeller.label(features, (each.shape[0], each.shape[1]), TAU)))
    return labelled


def settle(
    calibration: Calibration, shown: list[Tensor], plain: list[Labelled],
) -> list[Labelled]:
    """Try one way on all frames; return what is taught then, if anything has changed."""
    taught: list[Labelled] = []
    for index in range(len(shown)):
        assert not calibration.settled
        assert not taught, f'decided after {index} frames'
        taught = calibration.try_next(shown, plain)
    return taught


def test_a_cast_is_taken_out_and_taught_without_it(segmenter: Segmenter) -> None:
    shown = pictures('colour_cast:0.5')
    before = plain(segmenter, shown)
    calibration = Calibration(segmenter, TAU, colours=True, statistics=False)
    taught = settle(calibration, shown, before)
    assert calibration.settled and calibration.changes and calibration.head is None
    assert calibration.colours == Colours.of(shown)
    assert len(taught) == FRAMES
    for labelled, as_it_came in zip(taught, before, strict=True):
        assert labelled.reliability.mean() > as_it_came.reliability.mean()
    again = calibration.teach(shown[0])
    assert torch.equal(again.label, taught[0].label)
    assert segmenter.trained_on is not None
    seen = Colours.of([calibration.picture(each) for each in shown])
    # Nearly: black and white cut off what would lie beyond them.
    assert seen.mean == pytest.approx(segmenter.trained_on.mean, abs=0.03)
    assert seen.std == pytest.approx(segmenter.trained_on.std, abs=0.03)


def test_colours_are_taken_part_of_the_way(segmenter: Segmenter) -> None:
    shown = pictures('fog:0.5')
    assert segmenter.trained_on is not None
    calibration = Calibration(
        segmenter, TAU, colours=True, statistics=False, colours_share=0.5)
    settle(calibration, shown, plain(segmenter, shown))
    came, seen = (Colours.of(each) for each in (
        shown, [calibration.picture(each) for each in shown]))
    halfway = [(one * other) ** 0.5 for one, other in zip(
        came.std, segmenter.trained_on.std, strict=True)]
    assert seen.std == pytest.approx(halfway, abs=0.01)


def test_clean_colours_stay(segmenter: Segmenter) -> None:
    shown = pictures('clean')
    calibration = Calibration(segmenter, TAU, colours=True, statistics=False)
    before = plain(segmenter, shown)
    assert settle(calibration, shown, before) == []
    assert calibration.settled and not calibration.changes and calibration.colours is None
    again = calibration.teach(shown[0], before[0].features)
    assert torch.equal(again.label, before[0].label)
    assert calibration.picture(shown[0]) is shown[0]


def test_nothing_is_tried_where_it_is_not_wanted_or_not_known(segmenter: Segmenter) -> None:
    assert Calibration(segmenter, TAU, colours=False, statistics=False).settled
    untold = dataclasses.replace(segmenter, trained_on=None)
    assert Calibration(untold, TAU, colours=True, statistics=False).settled


def test_noise_is_taught_with_statistics_halfway_to_the_streams(segmenter: Segmenter) -> None:
    shown = pictures('noise:0.7')
    before = plain(segmenter, shown)
    calibration = Calibration(segmenter, TAU, colours=True, statistics=True)
    assert settle(calibration, shown, before) == []  # the colours are no better
    assert not calibration.settled
    taught = settle(calibration, shown, before)
    assert calibration.settled and calibration.colours is None
    assert len(taught) == FRAMES
    for labelled, as_it_came in zip(taught, before, strict=True):
        assert labelled.reliability.mean() > as_it_came.reliability.mean()
        assert labelled.features is not None
    again = calibration.teach(shown[0], before[0].features)
    assert torch.equal(again.label, taught[0].label)
    assert torch.equal(calibration.teach(shown[0]).label, taught[0].label)


def test_statistics_of_a_clean_stream_stay(segmenter: Segmenter) -> None:
    shown = pictures('clean')
    calibration = Calibration(segmenter, TAU, colours=False, statistics=True)
    assert settle(calibration, shown, plain(segmenter, shown)) == []
    assert calibration.settled and not calibration.changes


def test_statistics_come_after_the_colours_that_were_taken(segmenter: Segmenter) -> None:
    shown = pictures('colour_cast:0.5')
    calibration = Calibration(segmenter, TAU, colours=True, statistics=True)
    taught = settle(calibration, shown, plain(segmenter, shown))
    assert len(taught) == FRAMES and not calibration.settled
    settle(calibration, shown, taught)
    assert calibration.settled and calibration.colours is not None


def test_statistics_by_hand() -> None:
    head = small_head()
    frames = [small_sample().features, small_sample().previous]
    before = copy.deepcopy(head.state_dict())
    with torch.no_grad():
        fused = []
        layer = head.batch_norm.register_forward_pre_hook(
            lambda module, given: fused.append(given[0][0].flatten(1)))  # [D, N]
        for each in frames:
            head(each)
        layer.remove()
    moved = with_statistics(head, frames, 0.25)
    for name, measured in (
            ('running_mean', sum(each.mean(1) for each in fused) / 2),
            ('running_var', sum(each.var(1) for each in fused) / 2)):
        torch.testing.assert_close(
            moved.batch_norm.get_buffer(name),
            0.75 * before[f'batch_norm.{name}'] + 0.25 * measured)
    changed = {name for name, value in moved.state_dict().items()
               if not torch.equal(value, before[name])}
    assert changed == {'batch_norm.running_mean', 'batch_norm.running_var'}
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
    assert not moved.training and moved.batch_norm.momentum == head.batch_norm.momentum
