"""Ceilings of an earlier run are taken over where the plain model is still the same."""

from __future__ import annotations

import dataclasses
import logging
import math

import pytest

from ditta_ros.evaluation.bed.cells import Cell
from ditta_ros.evaluation.bed.known import Known, with_known
from ditta_ros.evaluation.bed.reached import Reached
from ditta_ros.evaluation.bed.streams import Stream

STREAM = Stream('world', '700', 'clean', 90, 'world:seed=700')
ISS = Reached(.5, .9, math.nan, {'pole': .3, 'sky': .7})
CEILING = Reached(.7, .9, .8, {})
KNOWN = {(STREAM, 10.0): Known(STREAM, 10.0, ISS, CEILING)}


def cell(iss: Reached, percent: float = 10.0) -> Cell:
    return Cell(STREAM, percent, iss, None, {})


@pytest.mark.parametrize('iss', [
    ISS,
    # Another processor sums in another order.
    dataclasses.replace(ISS, miou=.5 + 1e-7, class_iou={'sky': .7, 'pole': .3 + 2e-5}),
])
def test_the_same_model_is_given_what_is_known(iss: Reached) -> None:
    done, = with_known([cell(iss)], KNOWN)
    assert done.ceiling is CEILING and done.iss is iss


@pytest.mark.parametrize('changes', [
    {'miou': .5011},
    {'accuracy': .89},
    {'mvc8': .8},
    {'class_iou': {'pole': .31, 'sky': .69}},
    {'class_iou': {'pole': .3}},
    {'class_iou': {'pole': .3, 'sky': .7, 'sign': .5}},
])
def test_what_another_model_was_taught_is_left_out(
    changes: dict, caplog: pytest.LogCaptureFixture,
) -> None:
    other = cell(dataclasses.replace(ISS, **changes))
    with caplog.at_level(logging.WARNING):
        assert with_known([other], KNOWN)[0].ceiling is None
    message, = (record.getMessage() for record in caplog.records)
    assert message.startswith('world:seed=700: the plain model must reach what it did')
    assert message.endswith('the ceiling is left out, measure it anew')


def test_a_warm_up_of_another_length_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    assert with_known([cell(ISS, percent=25.0)], KNOWN)[0].ceiling is None
    assert not caplog.records
