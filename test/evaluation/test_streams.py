"""The comparison over streams: its means by hand, and one small run with the embedded models."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_ros.demo.world import NAMES
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.evaluation.scores import Scores
from ditta_ros.evaluation.source import Source, SourceFrame
from ditta_ros.evaluation.streams import Result, as_json, main, score, summary
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Session
from ditta_ros.settings import AdaptationSettings, SettingError, Settings, WarmUpSettings
from fakes import InstanceTracker
from random_models import CLASSES, save_random_segformer

HEIGHT, WIDTH = 32, 48
NAN = math.nan


def scores(miou: float, mvc8: float, wiou: float, road: float) -> Scores:
    class_iou = (NAN, road, *[NAN] * (len(NAMES) - 2))
    return Scores(miou, wiou, mvc8, class_iou, 0.1, 0.9)


RESULTS = [
    Result('noise:0.5', 7, scores(.5, .8, .6, .9), scores(.6, .9, .5, .95), 4, 1.0),
    Result('noise:0.5', 8, scores(.7, .8, .6, NAN), scores(.66, .9, .6, NAN), 5, 1.0),
]


def test_means_over_streams() -> None:
    means = summary(RESULTS)
    assert means['miou'] == pytest.approx(
        {'iss': .6, 'adapted': .63, 'change': .03, 'improved': 1, 'streams': 2})
    assert means['mvc8'] == pytest.approx(
        {'iss': .8, 'adapted': .9, 'change': .1, 'improved': 2, 'streams': 2})
    assert means['wiou']['improved'] == 0  # one worse, one equal
    # A class is averaged over the streams that show it.
    assert means['class_iou'] == {NAMES[1]: pytest.approx(
        {'iss': .9, 'adapted': .95, 'change': .05, 'improved': 1, 'streams': 1})}


def test_json_holds_no_nan() -> None:
    data = json.loads(as_json(['noise:0.5'], {'tau': 0.8}, RESULTS))
    assert data['parameters'] == {'tau': 0.8}
    assert data['shifts']['noise:0.5']['streams'] == 2
    assert data['streams'][0]['iss']['class_iou'][:2] == [None, .9]


def test_the_adaptation_is_given_its_time(tmp_path: Path) -> None:
    """The warm-up's last frame is the last that the plain model labels."""
    instance = torch.ones((6, HEIGHT, WIDTH), dtype=torch.int64)
    session = Session(
        Settings(warm_up=WarmUpSettings(amount=3.0), adaptation=AdaptationSettings(passes=1)),
        Segmenter.load(str(save_random_segformer(tmp_path))), InstanceTracker(instance))
    phases = []
    feed = session.feed

    def watched(frame):
        out = feed(frame)
        phases.append(out.phase)
        return out

    session.feed = watched  # type: ignore[method-assign]
    rng = np.random.default_rng(0)
    frames = [SourceFrame(t + 1, rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
                          np.full((HEIGHT, WIDTH), t % CLASSES, np.uint8)) for t in range(6)]
    source = Source('made', 6, 10.0, True, lambda: (frame for frame in frames))
    got = score(session, source, 3)
    assert phases == [Phase.WARM_UP] * 3 + [Phase.FROZEN] * 3
    # Truth of the frames after the warm-up alone: classes 3, 4, 0.
    assert [not math.isnan(iou) for iou in got.class_iou] == [True, False, False, True, True]


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / 'numbers.json'
    assert main(['--shift', 'noise:0.5', '--seeds', '1', '--frames', '12', '--processes', '1',
                 '--set', 'adaptation.passes=1', '--json', str(path)]) == 0
    assert 'noise:0.5: mean of 1 streams' in capsys.readouterr().out
    data = json.loads(path.read_text())
    assert data['parameters']['adaptation.passes'] == 1
    stream = data['streams'][0]
    assert 0.1 < stream['iss']['miou'] < 1 and stream['objects'] > 0
    assert stream['iss'] != stream['adapted']


@pytest.mark.parametrize(('arguments', 'says'), [
    (['--shift', 'rain:1'], 'shift must be clean'),
    (['--set', 'adaptation.lr=1'], "no parameter is called 'adaptation.lr'"),
    (['--set', 'tau'], "--set takes name=value, got 'tau'"),
])
def test_input_that_does_not_work(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture,
) -> None:
    assert main([*arguments, '--seeds', '1', '--processes', '1']) == 2
    assert says in capsys.readouterr().out


@pytest.mark.parametrize(('text', 'expected'), [
    ('tau=0.5', {'tau': 0.5}),
    ('adaptation.learning_rate=1e-3', {'adaptation.learning_rate': 1e-3}),
    ('adaptation.passes=3', {'adaptation.passes': 3}),
    ('segmenter.model=a=b', {'segmenter.model': 'a=b'}),
])
def test_overrides(text: str, expected: dict) -> None:
    assert parse_overrides([text]) == expected


def test_override_of_another_type() -> None:
    with pytest.raises(SettingError, match="adaptation.passes must be int, got 'many'"):
        parse_overrides(['adaptation.passes=many'])
