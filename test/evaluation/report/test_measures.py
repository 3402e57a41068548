from __future__ import annotations

import dataclasses
import math

import pytest

from ditta_ros.evaluation.outcome import Job, Latency
from ditta_ros.evaluation.report.measures import (
    AGREEMENT,
    FLICKER,
    LABEL_P50,
    MIOU,
    OF_COST,
    OF_LABELS,
    PEAK_MEMORY,
    WITH_TRUTH,
)
from made_outcomes import latency, outcome

MADE = outcome(Job('a', 'ditta', '25%'))


def test_every_figure_of_an_outcome() -> None:
    got = {each.key: each.of(MADE) for each in (*WITH_TRUTH, *OF_LABELS, *OF_COST)}
    assert got == pytest.approx({
        'miou': 50, 'wiou': 60, 'mvc8': 70, 'mvc16': 65, 'calibration_error': 4, 'flicker': 10,
        'reliability': 80, 'agreement': 90, 'label_p50_ms': 20, 'label_p95_ms': 30,
        'adaptation_s': .25, 'peak_memory_mb': 900})


def test_latency_is_of_the_phase_in_which_nothing_learns() -> None:
    assert LABEL_P50.of(dataclasses.replace(MADE, latencies=(latency('warm_up'),))) != 20
    none = dataclasses.replace(MADE, latencies=(Latency.of('frozen', []),))
    assert math.isnan(LABEL_P50.of(none))


@pytest.mark.parametrize(('measure', 'value', 'text'), [
    (MIOU, 58.149, '58.1'), (MIOU, math.nan, ''), (PEAK_MEMORY, 1234.5, '1234'),
    (LABEL_P50, .256, '0.26'), (LABEL_P50, 25.64, '25.6'), (LABEL_P50, 1250.4, '1250')])
def test_values_as_text(measure: object, value: float, text: str) -> None:
    assert measure.text(value) == text  # type: ignore[attr-defined]


@pytest.mark.parametrize(('measure', 'change', 'text', 'verdict'), [
    (MIOU, 4.66, '+4.7', 'better'), (MIOU, -4.66, '-4.7', 'worse'),
    (MIOU, .04, '±0.0', ''), (MIOU, -.04, '±0.0', ''), (MIOU, math.nan, '', ''),
    (FLICKER, -3, '-3.0', 'better'), (FLICKER, 3, '+3.0', 'worse'),
    (LABEL_P50, 10, '+10.0', 'worse'), (AGREEMENT, -3, '-3.0', '')])
def test_changes_as_text(measure: object, change: float, text: str, verdict: str) -> None:
    assert measure.change_text(change) == text  # type: ignore[attr-defined]
    assert measure.verdict(change) == verdict  # type: ignore[attr-defined]
