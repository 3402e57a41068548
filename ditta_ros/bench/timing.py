"""Times of several functions, taken in turns."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from ditta_ros.bench.row import Row, Tick

MOST_CALLS = 200

Arms = Mapping[str, Callable[[], object]]
Times = dict[str, list[float]]
"""Seconds per call of every arm, one entry for each round."""


@dataclass(frozen=True)
class Pace:
    """How long to measure: a number of rounds, fewer where they take too long."""

    rounds: int = 5
    budget_s: float = 30.0  # no further round is begun after this, once there are two
    warm_ups: int = 1  # rounds that do not count: compilation, caches, a GPU's clock
    least_s: float = 0.2  # a function is called until about this has passed; 0: once a round


def interleaved(arms: Arms, device: torch.device, pace: Pace, tick: Tick) -> Times:
    """Time the arms in rounds, A B C A B C, so that a change of the machine's pace meets all."""
    for index in range(pace.warm_ups):
        tick(f'warming up, {index + 1} of {pace.warm_ups}')
        first = {name: _seconds(arm, device, 1) for name, arm in arms.items()}
    # From the last warm-up; what is timed once a round needs none.
    calls = {name: _calls(first[name], pace.least_s) if pace.least_s else 1 for name in arms}
    times: Times = {name: [] for name in arms}
    began = time.perf_counter()
    for index in range(pace.rounds):
        if index >= 2 and time.perf_counter() - began > pace.budget_s:
            break
        tick(f'round {index + 1} of {pace.rounds}')
        for name, arm in arms.items():
            times[name].append(_seconds(arm, device, calls[name]))
    return times


def time_row(times: Times, ours: str, theirs: str, **fields: Any) -> Row:
    """Return a row of medians in ms, with the spread of the ratio over the rounds."""
    gain = fields.get('gain', False)
    above, below = (theirs, ours) if gain else (ours, theirs)
    ratios = [a / b for a, b in zip(times[above], times[below], strict=True)]
    return Row(
        ours=1e3 * median(times[ours]), theirs=1e3 * median(times[theirs]), unit='ms',
        spread=(min(ratios), max(ratios)), **fields)


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was given; a CPU has."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _seconds(arm: Callable[[], object], device: torch.device, calls: int) -> float:
    synchronise(device)
    began = time.perf_counter()
    for _ in range(calls):
        arm()
    synchronise(device)
    return (time.perf_counter() - began) / calls


def _calls(once_s: float, least_s: float) -> int:
    return min(MOST_CALLS, max(1, math.ceil(least_s / max(once_s, 1e-9))))
