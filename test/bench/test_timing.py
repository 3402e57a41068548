from __future__ import annotations

import pytest
import torch

from ditta_ros.bench.timing import Pace, interleaved, time_row

CPU = torch.device('cpu')


def test_arms_take_turns_and_warm_ups_do_not_count() -> None:
    calls, doing = [], []
    arms = {name: (lambda name=name: calls.append(name)) for name in 'ab'}
    times = interleaved(arms, CPU, Pace(rounds=3, warm_ups=2, least_s=0), doing.append)
    assert ''.join(calls) == 'abababab' + 'ab'
    assert {name: len(each) for name, each in times.items()} == {'a': 3, 'b': 3}
    assert doing == [
        'warming up, 1 of 2', 'warming up, 2 of 2', 'round 1 of 3', 'round 2 of 3',
        'round 3 of 3']


def test_a_quick_function_is_called_many_times_a_round() -> None:
    calls: list[int] = []
    interleaved({'a': lambda: calls.append(1)}, CPU, Pace(rounds=2, least_s=0.01), str)
    assert len(calls) == 1 + 2 * 200  # the most


def test_no_round_begins_after_the_budget_but_the_first_two() -> None:
    times = interleaved({'a': int}, CPU, Pace(rounds=9, budget_s=0, least_s=0), str)
    assert len(times['a']) == 2


def test_medians_and_the_spread_of_the_rounds() -> None:
    times = {'x': [0.001, 0.002, 0.009], 'y': [0.002, 0.001, 0.003]}
    row = time_row(times, 'x', 'y', name='n', setting='s')
    assert (row.ours, row.theirs, row.unit) == (pytest.approx(2), pytest.approx(2), 'ms')
    assert row.spread == pytest.approx((0.5, 3))
    gain = time_row(times, 'x', 'y', name='n', setting='s', gain=True)
    assert gain.spread == pytest.approx((1 / 3, 2))
