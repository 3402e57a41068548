"""Settings against each other: what is remembered is what would be computed again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ditta_ros.evaluation.scores import Scores
from ditta_ros.evaluation.sources import world_source
from ditta_ros.evaluation.streams import score
from ditta_ros.evaluation.variants import Job, Outcome, change, main, run, table
from ditta_ros.opening import open_session
from ditta_ros.settings import SettingError, from_flat

SPEC = 'world:seed=3,shift=noise:0.5,frames=10'
COMMON = {
    'warm_up.amount': 3.0, 'adaptation.passes': 1, 'adaptation.held_out_percent': 0.0}


def test_a_variant_is_scored_as_the_session_alone_would_be() -> None:
    fast = {**COMMON, 'adaptation.learning_rate': 1e-3}
    outcome = run(Job('noise:0.5', 3, 10, {'slow': COMMON, 'fast': fast}))
    for name, values in (('slow', COMMON), ('fast', fast)):
        alone = score(open_session(from_flat(values)), world_source(SPEC), 3)
        assert str(outcome.adapted[name]) == str(alone)  # str: a NaN equals a NaN
    plain = score(open_session(from_flat({'warm_up.amount': 0.0})), world_source(SPEC), 3)
    assert str(outcome.iss) == str(plain)
    assert outcome.adapted['slow'].miou != outcome.adapted['fast'].miou


def scores(miou: float, mvc8: float) -> Scores:
    return Scores(miou, .5, mvc8, (miou, math.nan), .1, .9)


OUTCOMES = [
    Outcome('clean', 200, scores(.8, .9), {'a': scores(.7, .95), 'b': scores(.85, .9)}),
    Outcome('clean', 201, scores(.8, .9), {'a': scores(.8, .95), 'b': scores(.81, .9)}),
    Outcome('fog:0.5', 200, scores(.5, .6), {'a': scores(.7, .8), 'b': scores(.5, .6)}),
    Outcome('fog:0.5', 201, scores(.5, .6), {'a': scores(.6, .8), 'b': scores(.49, .6)}),
]


def test_changes_by_hand() -> None:
    assert change(OUTCOMES, 'a', 'miou') == pytest.approx([-.1, 0, .2, .1])
    columns = [list(column.cells) for column in table(OUTCOMES).columns]
    assert columns == [
        ['a', 'b'], ['-5.0 / +5.0', '+3.0 / +0.0'], ['+15.0 / +20.0', '-0.5 / +0.0'],
        ['+5.0 / +12.5', '+1.2 / +0.0'], ['2 of 4', '2 of 4']]


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / 'numbers.json'
    assert main([
        '--shift', 'clean', '--seeds', '1', '--frames', '6', '--processes', '1', '--variant',
        'one: adaptation.passes=1', '--variant', 'two: adaptation.passes=2 tau=0.7',
        '--json', str(path)]) == 0
    assert '1 of 1' in (shown := capsys.readouterr().out) or '0 of 1' in shown
    data = json.loads(path.read_text())
    assert data['variants']['two']['tau'] == .7
    assert set(data['streams'][0]['adapted']) == {'one', 'two'}


@pytest.mark.parametrize('own', [
    {'segmenter.max_side_px': 128}, {'warm_up.amount': 4.0}, {'adaptation.seed': 1}])
def test_what_all_variants_share_cannot_differ(own: dict) -> None:
    with pytest.raises(SettingError, match="got others in 'other'"):
        run(Job('clean', 3, 10, {'one': COMMON, 'other': {**COMMON, **own}}))


def test_input_that_does_not_work(capsys: pytest.CaptureFixture) -> None:
    assert main(['--variant', 'x: adaptation.lr=1']) == 2
    assert "no parameter is called 'adaptation.lr'" in capsys.readouterr().out
