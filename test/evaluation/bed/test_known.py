"""Ceilings of an earlier run are taken over where the plain model is still the same."""

from __future__ import annotations

import logging

import pytest

from ditta_ros.evaluation.bed.cells import Cell
from ditta_ros.evaluation.bed.known import Known, with_known
from ditta_ros.evaluation.bed.reached import Reached
from ditta_ros.evaluation.bed.streams import Stream

STREAM = Stream('world', '700', 'clean', 90, 'world:seed=700')
CEILING = Reached(.7, .9, .8, {})
KNOWN = {(STREAM, 10.0): Known(STREAM, 10.0, Reached(.5, .9, .8, {}), CEILING)}


def cell(miou: float, percent: float = 10.0) -> Cell:
    return Cell(STREAM, percent, Reached(miou, .9, .8, {}), None, {})


def test_another_processor_sums_in_another_order() -> None:
    assert with_known([cell(.5 + 1e-7)], KNOWN) == [
        Cell(STREAM, 10.0, Reached(.5 + 1e-7, .9, .8, {}), CEILING, {})]


def test_what_another_model_was_taught_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert with_known([cell(.51), cell(.5, percent=25.0)], KNOWN) == [
            cell(.51), cell(.5, percent=25.0)]
    assert [record.getMessage() for record in caplog.records] == [
        'world:seed=700: the plain model must reach what it did when the ceilings were measured, '
        'mIoU 0.5000, got 0.5100: the ceiling is left out, measure it anew']
