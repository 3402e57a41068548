"""The table, the JSON and the plot of what was found."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from ditta_ros.soak.fault import Fault
from ditta_ros.soak.fuzz import Fuzzed
from ditta_ros.soak.kills import Killed
from ditta_ros.soak.plot import write_plot
from ditta_ros.soak.report import table, write_json
from ditta_ros.soak.result import Result
from ditta_ros.soak.streams import Series, Streamed


def series(growth_mb: float = 0.0) -> Series:
    return Series('frames', list(range(1, 101)), [500 + growth_mb * n for n in range(100)])


def result() -> Result:
    return Result(
        [Streamed(series(), 100, 0)], [Fuzzed('bags', 50, 20, {})], [Killed(10, 4, 1, ())],
        [Fault('tracker raises', 200, 199, 'the tracker failed')])


def test_all_is_well() -> None:
    lines = list(result().lines())
    assert result().well
    assert [line.what for line in lines] == [
        'memory slope, frames', 'frames lost, frames', 'fault: tracker raises',
        'kills while saving', 'inputs: bags']
    assert lines[0].came_of_it.startswith('+0.000 MB per 1000 (95 %: +0.000 to +0.000), p = 1.000')
    assert lines[2].came_of_it == '1 lost; seen: the tracker failed'
    assert lines[3].came_of_it == '10 survived, 4 came halfway, 1 files left over at most'
    assert lines[4].came_of_it == '20 read, 30 refused, no defect'


@pytest.mark.parametrize('change', [
    {'streams': [Streamed(series(0.01), 100, 0)]},
    {'streams': [Streamed(series(), 100, 1)]},
    {'fuzzed': [Fuzzed('bags', 50, 20, {'KeyError in reader.py:7': 2})]},
    {'killed': [Killed(10, 4, 1, ('not whole',))]},
    {'faults': [Fault('tracker raises', 200, 197, 'the tracker failed')]},
    {'faults': [Fault('tracker raises', 200, 200, '')]},
    {'faults': [Fault('tracker raises', 0, 0, 'the tracker failed')]},
])
def test_one_thing_that_is_not_well_is_enough(change: dict) -> None:
    found = result()
    for name, value in change.items():
        setattr(found, name, value)
    assert [line.well for line in found.lines()].count(False) == 1
    assert not found.well


def test_table_json_and_plot(tmp_path: Path) -> None:
    console = Console(width=150, record=True, file=(tmp_path / 'out.txt').open('w'))
    console.print(table(result(), 'title'))
    text = console.export_text()
    assert all(line.what in text for line in result().lines())
    write_json(result(), 'title', tmp_path / 'soak.json')
    written = json.loads((tmp_path / 'soak.json').read_text())
    assert written['memory'][0]['units'][-1] == 100
    write_plot([series(), series(0.01)], tmp_path / 'memory.png')
    assert cv2.imread(str(tmp_path / 'memory.png')).shape[1] > 1000
