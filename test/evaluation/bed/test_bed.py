"""The command: a small run with the embedded models, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from ditta_ros.evaluation.bed.__main__ import main
from ditta_ros.evaluation.bed.signals import SIGNALS

SMALL = ['--half', 'choose', '--streams', '1', '--frames', '6', '--shift', 'noise:0.5',
         '--warm-up', '34', '--processes', '1']
QUICK = ['--variant', 'quick: adaptation.passes=1 adaptation.held_out_percent=0',
         '--variant', 'none: adaptation.passes=0', '--ceiling', 'adaptation.passes=1']


def test_a_small_run_and_one_with_its_ceilings(
    tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    first, second = tmp_path / 'first', tmp_path / 'second'
    assert main([*SMALL, *QUICK, '--out', str(first)]) == 0
    shown = capsys.readouterr().out
    assert 'NOT THE WHOLE HALF' in shown and 'world: quick' in shown
    assert 'mIoU, mean of clean cells' in shown and 'not measured' in shown
    text = (first / 'bed.txt').read_text()
    assert 'world: none' in text and 'under shift' in text
    data = json.loads((first / 'bed.json').read_text())
    assert data['half'] == 'choose'
    assert data['variants']['quick'] == {
        'adaptation.passes': 1, 'adaptation.held_out_percent': 0}
    (cell,) = data['cells']
    assert cell['stream']['name'] == '600' and cell['warm_up_percent'] == 34
    assert cell['adapted']['quick']['status']['adaptation_steps'] == 2
    assert 0 < cell['adapted']['quick']['targets']['accuracy'] <= 1
    assert cell['iss']['mvc8'] is None  # four frames have no window of eight
    mean = data['means']['world']['quick']['all']
    assert mean['miou'] == pytest.approx(
        100 * (cell['adapted']['quick']['reached']['miou'] - cell['iss']['miou']))
    for name in ('gain_by_shift_world.png', 'gain_by_targets_world.png'):
        picture = cv2.imread(str(first / name))
        assert picture is not None and picture.std() > 5

    taken_over = [*SMALL, *QUICK, '--ceilings', str(first / 'bed.json'), '--out', str(second)]
    assert main(taken_over) == 0
    again = json.loads((second / 'bed.json').read_text())
    assert again['cells'] == data['cells']  # DiTTA repeats itself, bit for bit

    cell['iss']['miou'] += .01
    (first / 'bed.json').write_text(json.dumps(data))
    assert main(taken_over) == 0
    (cell,) = json.loads((second / 'bed.json').read_text())['cells']
    assert cell['ceiling'] is None  # of another plain model


def test_signals_are_recorded_of_what_is_judged(tmp_path: Path) -> None:
    judged = ['--variant', 'judged: adaptation.passes=1 adaptation.held_out_percent=50']
    assert main([*SMALL, *judged, *QUICK[:2], '--signals', '--no-ceilings',
                 '--out', str(tmp_path)]) == 0
    (cell,) = json.loads((tmp_path / 'bed.json').read_text())['cells']
    judged_, quick = (cell['adapted'][name] for name in ('judged', 'quick'))
    assert cell['ceiling'] is None
    assert quick['candidate'] is None  # nothing was held out
    candidate = judged_['candidate']
    assert candidate['signals'].keys() == SIGNALS.keys()
    assert judged_['status']['promoted']
    assert candidate['reached'] == judged_['reached']  # it is what the session has learnt


@pytest.mark.parametrize(('arguments', 'says'), [
    (['--shift', 'rain:1'], 'shift must be clean'),
    (['--variant', 'x: adaptation.lr=1'], "no parameter is called 'adaptation.lr'"),
    (['--variant', 'x: tau=0.7', '--variant', 'x: tau=0.6'], "--variant 'x' is given twice"),
    (['--set', 'best'], '--set must be one of profiles'),
    (['--streams', '9'], '--streams must be 1..8, got 9'),
    (['--real', '--data', 'nowhere'],
     '--real needs a folder with camvid_1hz and models, got nowhere'),
    (['--half', 'confirm', '--real', '--data', '.'],
     '--real goes with --half choose or report, which have stills, got confirm'),
    (['--ceilings', 'nowhere.json'], '--ceilings nowhere.json: must be the bed.json'),
])
def test_input_that_does_not_work(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    # What is given last counts of an option that is given once.
    shifts = [] if '--shift' in arguments else ['--shift', 'clean']
    assert main(['--half', 'report', '--frames', '4', '--processes', '1', '--out',
                 str(tmp_path / 'out'), *shifts, *arguments]) == 2
    assert says in capsys.readouterr().out.replace('\n', ' ')


def test_ceilings_taught_otherwise_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    path = tmp_path / 'bed.json'
    path.write_text(json.dumps({'cells': [], 'ceiling': {'adaptation.passes': 2}}))
    assert main([*SMALL, *QUICK, '--ceilings', str(path), '--out', str(tmp_path / 'out')]) == 2
    assert 'measure them anew' in capsys.readouterr().out
