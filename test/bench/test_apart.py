from __future__ import annotations

import os
import signal
import time
from multiprocessing import active_children

import numpy as np
import pytest
import torch

from ditta_ros.bench import apart
from ditta_ros.bench.apart import Cost, Pair, Peak, cost, in_own_process
from ditta_ros.bench.attention import Grid, prepare_dense, prepare_tiled
from ditta_ros.bench.row import Skipped

CPU = torch.device('cpu')
GRID = Grid(height=9, width=26, dim=8, classes=3)


def test_a_process_of_its_own() -> None:
    assert in_own_process(os.getpid) != os.getpid()


def test_a_killed_process_is_told() -> None:
    with pytest.raises(Skipped, match='killed'):
        in_own_process(os._exit, 1)


def test_what_a_function_raises_arrives() -> None:
    with pytest.raises(FileNotFoundError):
        in_own_process(os.stat, '/no/such/file')


def test_an_interrupt_does_not_wait_for_the_process() -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            in_own_process(time.sleep, 1000)  # longer than a test may take
    finally:
        signal.signal(signal.SIGALRM, before)
    assert active_children() == []


def test_the_peak_is_of_what_was_freed_since() -> None:
    # Larger than what the allocator keeps for later (32 MB at most).
    peak = Peak(CPU)
    torch.ones(50_000_000)
    assert peak.mb() == pytest.approx(200, abs=40)
    assert Peak(CPU).mb() < 40


def test_costs_of_a_case_from_a_process_of_its_own() -> None:
    measured = in_own_process(cost, prepare_tiled, GRID, GRID, 'cpu')
    assert measured.seconds > 0
    assert measured.output.shape == (1, 3, 9, 26)
    np.testing.assert_allclose(measured.output, prepare_dense(GRID, CPU)(), atol=1e-5)


def test_two_ways_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, doing = [], []

    def in_this_process(function, way, *rest):
        ran.append(way)
        return function(way, *rest)

    monkeypatch.setattr(apart, 'in_own_process', in_this_process)
    monkeypatch.setattr(apart, 'SHORT_S', 0)
    pair = apart.compare(prepare_tiled, prepare_dense, GRID, GRID, CPU, 2, doing.append)
    assert ran == [prepare_tiled, prepare_dense] * 2
    assert doing[-1] == 'round 2 of 2, theirs'
    assert pair.difference(name='', setting='').ours < 1e-5


def test_rows_of_a_pair() -> None:
    pair = Pair(
        [Cost(0.1, 5, np.array([1.0, 2])), Cost(0.3, 7, np.array([1.0, 2]))],
        [Cost(2.0, 60, np.array([1.0, 2.5])), Cost(2.0, 60, np.array([1.0, 2.5]))])
    time = pair.time(name='t', setting='', gain=True)
    assert (time.ours, time.theirs) == (pytest.approx(200), pytest.approx(2000))
    assert time.spread == pytest.approx((2 / 0.3, 20))
    assert pair.peak(name='p', setting='', gain=True).ratio == 10
    difference = pair.difference(name='d', setting='', bar='<= 1e-4')
    assert (difference.ours, difference.met) == (0.5, False)
