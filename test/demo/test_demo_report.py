"""Tables and picture of the demo."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from ditta_ros.demo.compare import moments
from ditta_ros.demo.play import Phase
from ditta_ros.demo.report import Column, save_picture, score_table
from ditta_ros.evaluation.scores import Scorer, Scores
from ditta_ros.labels import LabelSet

NAN = math.nan
LABELS = LabelSet(('road', 'tree', 'sky'), np.array([[200, 0, 0], [0, 180, 0], [0, 0, 255]],
                                                    np.uint8))


@pytest.mark.parametrize(('frames', 'warm_up', 'expected'), [
    (90, 22, [0, 11, 22, 44, 67, 89]),
    (4, 1, [0, 1, 2, 3]),
    (1, 1, [0]),
    (10, 10, [0, 5, 9]),
])
def test_moments_to_look_at(frames: int, warm_up: int, expected: list[int]) -> None:
    assert moments(frames, warm_up) == expected


def text(table: Table) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def scores(**values: float) -> Scores:
    return Scores(**{
        'miou': NAN, 'wiou': NAN, 'mvc8': NAN, 'class_iou': (), 'flicker': NAN,
        'reliability': NAN, **values})  # type: ignore[arg-type]


def test_scores_with_truth() -> None:
    lines = text(score_table(
        'after', scores(miou=.5, mvc8=.85, wiou=.7), scores(miou=.6123, mvc8=.9, wiou=.68), .9,
        True)).splitlines()
    rows = {line.split()[1]: line.split() for line in lines if '%' in line}
    assert rows['mIoU'][3:10] == ['50.0', '%', '│', '61.2', '%', '│', '+11.2']
    assert rows['mVC8'][9] == '+5.0' and rows['wIoU'][9] == '-2.0'
    assert len(rows) == 3


def test_scores_without_truth() -> None:
    table = text(score_table(
        'after', scores(flicker=.1, reliability=.8), scores(flicker=.04, reliability=.9), .75,
        False))
    assert 'mIoU' not in table and 'nan' not in table
    assert '-6.0' in table and '+10.0' in table and '75.0 %' in table


def test_scorer_counts_by_hand() -> None:
    """Two frames: truth for the first alone, reliability 1 and 0.5, one of six pixels flickers."""
    scorer = Scorer(2)
    first = np.array([[0, 0, 1], [1, 1, 1]])
    second = np.array([[0, 0, 0], [1, 1, 1]])
    scorer.add(first, np.array([[0, 0, 0], [1, 1, 1]]), np.ones((2, 3)))
    scorer.add(second, None, np.full((2, 3), .5))
    got = scorer.scores()
    assert got.class_iou == pytest.approx((2 / 3, 3 / 4))
    assert (got.miou, got.reliability, got.flicker) == pytest.approx((17 / 24, .75, 1 / 6))
    assert math.isnan(got.mvc8)


def test_speed_of_a_phase() -> None:
    phase = Phase('frozen', [.1, .1, .4])
    assert (phase.frames, phase.rate_fps, phase.median_ms) == (3, pytest.approx(5), 100)
    assert math.isnan(Phase('frozen').rate_fps)


def column(index: int, warm_up: bool, with_truth: bool) -> Column:
    rgb = np.full((30, 50, 3), 128, np.uint8)
    iss, adapted, truth = (np.full((30, 50), label, np.uint8) for label in (0, 1, 2))
    return Column(index, index / 10, warm_up, rgb, iss, adapted, truth if with_truth else None)


@pytest.mark.parametrize('with_truth', [True, False])
def test_picture(tmp_path: Path, with_truth: bool) -> None:
    path = tmp_path / 'demo.png'
    columns = [column(0, True, with_truth), column(5, False, with_truth)]
    save_picture(path, 'title', 'subtitle', columns, LABELS)
    picture = cv2.imread(str(path))[:, :, ::-1]
    assert picture.shape[1] == 1600

    def area(rgb: tuple[int, int, int]) -> int:
        return int((picture == rgb).all(axis=2).sum())

    cell = area((128, 128, 128)) / 2  # the frames themselves
    assert cell > 100 * 100
    # ISS is all road, adapted all tree, each in two cells and the legend; numbers cover a little.
    assert 1.5 * cell < area((200, 0, 0)) < 2.3 * cell
    assert 1.5 * cell < area((0, 180, 0)) < 2.3 * cell
    assert (area((0, 0, 255)) > 1.5 * cell) == with_truth
