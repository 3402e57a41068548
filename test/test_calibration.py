"""In which colours the embedded segmenter teaches, on streams of the demo world."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from ditta_ros.calibration import FRAMES, Calibration
from ditta_ros.colours import Colours
from ditta_ros.demo.shifts import parse
from ditta_ros.demo.world import stream
from ditta_ros.labeller import IssLabeller, Labelled
from ditta_ros.segmenter import Segmenter

TAU = 0.8


@pytest.fixture(scope='module')
def segmenter() -> Segmenter:
    return Segmenter.load('')


def pictures(shift: str) -> list[Tensor]:
    return [torch.from_numpy(frame.rgb) for frame in stream(600, FRAMES, 10.0, parse(shift))]


def plain(segmenter: Segmenter, shown: list[Tensor]) -> list[Tensor]:
    labeller = IssLabeller(segmenter.head)
    return [labeller.label(segmenter.encode(each), (each.shape[0], each.shape[1]), TAU)[1]
            for each in shown]


def settle(calibration: Calibration, shown: list[Tensor], plain: list[Tensor]) -> list[Labelled]:
    taught: list[Labelled] = []
    for index in range(len(shown)):
        assert not calibration.settled
        assert not taught, f'decided after {index} frames'
        taught = calibration.try_next(shown, plain)
    assert calibration.settled
    return taught


def test_a_cast_is_taken_out_and_taught_without_it(segmenter: Segmenter) -> None:
    shown = pictures('colour_cast:0.5')
    before = plain(segmenter, shown)
    calibration = Calibration(segmenter, TAU, wanted=True)
    taught = settle(calibration, shown, before)
    assert calibration.colours == Colours.of(shown)
    assert len(taught) == FRAMES
    for labelled, reliability in zip(taught, before, strict=True):
        assert labelled.reliability.mean() > reliability.mean()
    again = calibration.teach(shown[0])
    assert torch.equal(again.label, taught[0].label)
    assert segmenter.trained_on is not None
    seen = Colours.of([calibration.picture(each) for each in shown])
    # Nearly: black and white cut off what would lie beyond them.
    assert seen.mean == pytest.approx(segmenter.trained_on.mean, abs=0.03)
    assert seen.std == pytest.approx(segmenter.trained_on.std, abs=0.03)


def test_clean_colours_stay(segmenter: Segmenter) -> None:
    shown = pictures('clean')
    calibration = Calibration(segmenter, TAU, wanted=True)
    assert settle(calibration, shown, plain(segmenter, shown)) == []
    assert calibration.colours is None
    assert calibration.picture(shown[0]) is shown[0]


def test_nothing_is_tried_where_it_is_not_wanted_or_not_known(segmenter: Segmenter) -> None:
    assert Calibration(segmenter, TAU, wanted=False).settled
    assert Calibration(dataclasses.replace(segmenter, trained_on=None), TAU, wanted=True).settled
