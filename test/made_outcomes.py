"""Outcomes made by hand, for tests of what is written of them and made from them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ditta_ros.evaluation.outcome import Job, Latency, Outcome
from ditta_ros.evaluation.scores import Scores

NAN = math.nan
NAMES = ('road', 'tree', 'sky')
PALETTE = ((200, 0, 0), (0, 180, 0), (0, 0, 255))


def scores(miou: float = .5, **values: Any) -> Scores:
    """Scores of three classes, of which the last has no truth."""
    return dataclasses.replace(
        Scores(miou, .6, .7, (miou - .1, miou + .1, NAN), .1, .8, .65), **values)


def latency(phase: str, p50_ms: float = 20.0) -> Latency:
    return Latency(phase, 10, p50_ms, 1.5 * p50_ms, 2 * p50_ms, ((10.0, 3), (20.0, 6), (40.0, 1)))


def outcome(job: Job, made: Scores | None = None, **values: Any) -> Outcome:
    """An outcome over 20 frames, 5 of them warm-up, whose frames have an mIoU of their own."""
    made = made or scores()
    return dataclasses.replace(Outcome(
        job, NAMES, 20, 20, 0, 5, 15, made,
        tuple((index, made.miou + .002 * index) for index in range(20)),
        tuple((index / 20, 10 * index, 9 * index) for index in range(20)), .04, .9,
        (latency('warm_up', 30.0), latency('frozen')), .25, 900.0, 4, 40, job.method == 'ditta',
        'adapted on 5 frames, 40 steps',
        {'machine': {'cpu': 'a CPU'}, 'versions': {'torch': '2.14'}}, PALETTE), **values)


def without_truth(job: Job, flicker: float, **values: Any) -> Outcome:
    """An outcome of a source that has no truth."""
    made = Scores(NAN, NAN, NAN, (NAN, NAN, NAN), flicker, .8)
    return outcome(
        job, made, evaluated=0, miou_of_frame=(), reliability_curve=(), calibration_error=NAN,
        **values)
