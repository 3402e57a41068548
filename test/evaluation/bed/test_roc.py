"""The ROC by hand, and the command on a made run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from ditta_ros.evaluation.bed.roc import Curve, main
from ditta_ros.evaluation.bed.signals import SIGNALS


def test_a_curve_by_hand() -> None:
    curve = Curve.of([3, 2, 1], [2, 0])
    assert curve.harmful == (0, 0, 1 / 2, 1 / 2, 1)  # at none, 3, 2, 1, 0
    assert curve.helpful == pytest.approx((0, 1 / 3, 2 / 3, 1, 1))
    # Of 3 x 2 pairs the helpful one is higher in 4, and equal in one.
    assert curve.area == pytest.approx((4 + 1 / 2) / 6)
    assert curve.kept_without_harm == pytest.approx(1 / 3)
    assert (curve.stopped(0.3), curve.stopped(0.8)) == (1, 1 / 2)


def test_areas_of_a_signal_that_tells_all_and_of_one_that_tells_nothing() -> None:
    assert Curve.of([2, 3], [0, 1]).area == 1
    assert Curve.of([1, 1], [1, 1]).area == 0.5
    assert Curve.of([0], [1]).area == 0


@pytest.mark.parametrize('of', [([], [1.0]), ([1.0], [])])
def test_of_one_kind_alone_there_is_no_curve(of: tuple) -> None:
    with pytest.raises(ValueError, match='needs helpful and harmful candidates'):
        Curve.of(*of)


def reached(miou: float) -> dict[str, Any]:
    return {'miou': miou, 'accuracy': 0.9, 'mvc8': None, 'class_iou': {}}


def cell(seed: int, change: float, signal: float, promoted: bool = True) -> dict[str, Any]:
    return {
        'stream': {'bed': 'world', 'name': str(seed), 'shift': 'clean', 'frames': 90, 'spec': ''},
        'warm_up_percent': 10, 'iss': reached(0.5),
        'adapted': {
            'defaults': {
                'status': {'promoted': promoted}, 'candidate': {
                    'reached': reached(0.5 + change / 100),
                    'signals': {**dict.fromkeys(SIGNALS, 0.0), 'purity': signal}}},
            'unjudged': {'status': {'promoted': True}, 'candidate': None}}}


def saved(folder: Path, cells: list[dict]) -> str:
    (folder / 'bed.json').write_text(json.dumps({'cells': cells}))
    return str(folder / 'bed.json')


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = saved(tmp_path, [cell(1, 2, .3), cell(2, 1, .2), cell(3, .1, .1), cell(4, -1, .0),
                           cell(5, -2, .25, promoted=False)])
    out = tmp_path / 'out'
    assert main([run, '--out', str(out), '--margin', '0.5']) == 0
    shown = capsys.readouterr().out
    assert '2 helpful and 2 harmful candidates' in shown  # one is neither
    lines = (out / 'roc.txt').read_text().splitlines()
    (purity,) = (line for line in lines if 'purity' in line)
    assert [part.strip() for part in purity.strip('│').split('│')][:4] == [
        'purity', '0.75', '50 %', '50 %']
    assert 'the guard kept 100 % of the helpful and stopped 50 % of the harmful' in shown
    picture = cv2.imread(str(out / 'roc.png'))
    assert picture is not None and picture.std() > 5


@pytest.mark.parametrize(('cells', 'arguments', 'says'), [
    ([cell(1, 1, 0)], [], 'got 1 and 0'),
    ([cell(1, 1, 0)], ['--variant', 'unjudged'], 'run the bed with --signals'),
    ([{}], [], 'must be the bed.json of a run: cells[0].stream is missing')])
def test_runs_that_say_nothing(
    cells: list[dict], arguments: list[str], says: str, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    assert main([saved(tmp_path, cells), '--out', str(tmp_path / 'out'), *arguments]) == 2
    assert says in capsys.readouterr().out.replace('\n', ' ')
