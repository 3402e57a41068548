"""Settings against each other: what is remembered is what would be computed again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from ditta_ros.evaluation.remembered import RememberingSegmenter, RememberingTracker
from ditta_ros.evaluation.scores import Scores
from ditta_ros.evaluation.sources import world_source
from ditta_ros.evaluation.streams import score
from ditta_ros.evaluation.variants import Job, Outcome, change, main, run, table
from ditta_ros.frame import Frame
from ditta_ros.opening import open_session
from ditta_ros.prompts import Prompt
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import SettingError, from_flat
from fakes import InstanceTracker
from random_models import save_random_segformer

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


def test_a_stamp_is_encoded_once(tmp_path: Path) -> None:
    segmenter = RememberingSegmenter.around(Segmenter.load(str(save_random_segformer(tmp_path))))
    black, white = (Frame(0, '', torch.full((32, 48, 3), grey, dtype=torch.uint8))
                    for grey in (0, 255))
    first = segmenter.encode(black)
    assert segmenter.encode(white) is first
    other = segmenter.encode(Frame(1, '', white.rgb))
    assert not torch.equal(other[0], first[0])


def test_masks_are_repeated_and_other_prompts_refused() -> None:
    instance = torch.tensor([[[0, 1]], [[1, 0]], [[1, 1]]])
    tracker = RememberingTracker(InstanceTracker(instance))
    rgb = torch.zeros((1, 2, 3), dtype=torch.uint8)
    seen = []
    for _ in range(2):
        tracker.start((1, 2))
        assert tracker.track(rgb) == {}
        assert tracker.track(rgb) == {}
        here, backward = tracker.prompt([Prompt(7, 1, 0, 0, 2)])
        seen.append((here[7].tolist(), [each[7].tolist() for each in backward],
                     tracker.track(rgb)[7].tolist()))
    assert seen == [([[True, False]], [[[False, True]]], [[True, True]])] * 2
    tracker.start((1, 2))
    tracker.track(rgb)
    with pytest.raises(ValueError, match='frame 0 was not prompted'):
        tracker.prompt([Prompt(7, 0, 0, 0, 2)])
    tracker.track(rgb)
    with pytest.raises(ValueError, match='frame 1 had other prompts'):
        tracker.prompt([Prompt(8, 1, 0, 0, 2)])


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
