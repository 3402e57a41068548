from __future__ import annotations

import base64
import dataclasses
import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ditta_ros.demo.world import NAMES as WORLD_NAMES
from ditta_ros.evaluation.outcome import Job
from ditta_ros.evaluation.report.results import Results
from ditta_ros.evaluation.report.strips import Cell, Strip, label_set_of, moments, strips
from ditta_ros.evaluation.sources import open_source
from ditta_ros.labels import default_palette
from made_outcomes import NAMES, PALETTE, outcome


def picture(cell: Cell) -> np.ndarray:
    """Decode a cell to uint8 [H, W, 3] in RGB."""
    data = np.frombuffer(base64.b64decode(cell.uri.partition(',')[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]


def only(results: Results, folder: Path) -> Strip:
    [strip] = strips(results, folder)
    return strip


@pytest.mark.parametrize(('frames', 'warm_up', 'expected'), [
    (90, 22, [0, 11, 22, 44, 67, 89]), (91, 91, [0, 18, 36, 54, 72, 90]), (4, 1, [0, 1, 2, 3]),
    (11, 0, [0, 2, 4, 6, 8, 10]), (1, 1, [0])])
def test_moments_to_look_at(frames: int, warm_up: int, expected: list[int]) -> None:
    made = outcome(Job('a', 'iss', '25%'), frames=frames, warm_up_frames=warm_up)
    assert moments(made) == expected


def test_frames_truth_and_labels_of_the_same_moments(run: Path, source: str) -> None:
    strip = only(Results.read(run), run)
    assert strip.columns == ('frame 0, warm-up', 'frame 1, warm-up', 'frame 2', 'frame 4',
                             'frame 5', 'frame 7')
    assert [row.name for row in strip.rows] == ['frame', 'truth', 'SegFormer (ISS)', 'DiTTA']
    frames = list(open_source(source))
    photo, truth, iss, ditta = (row.cells[3] for row in strip.rows)
    assert photo.uri.startswith('data:image/jpeg;base64,')
    assert np.abs(picture(photo).astype(int) - frames[4].rgb).mean() < 6  # of a JPEG
    np.testing.assert_array_equal(picture(truth), picture(ditta))
    assert len(np.unique(picture(iss).reshape(-1, 3), axis=0)) == 1
    share = np.mean(frames[4].label[frames[4].label != 255] == 0)
    assert (iss.text, ditta.text) == (f'{100 * share:.0f} % right', '100 % right')
    assert dict(strip.legend).keys() == {
        WORLD_NAMES[index] for frame in (frames[index] for index in (0, 1, 2, 4, 5, 7))
        for index in np.unique(frame.label) if index != 255} | {WORLD_NAMES[0]}


def test_a_frame_that_was_dropped(run: Path) -> None:
    results = Results.read(run)
    shorter = tuple(dataclasses.replace(each, frames=6, warm_up_frames=3)
                    for each in results.outcomes)  # of which frame 3 is shown
    strip = only(dataclasses.replace(results, outcomes=shorter), run)
    at = strip.columns.index('frame 3')
    assert strip.rows[3].cells[at] == Cell('', 'not labelled')
    assert strip.rows[2].cells[at].uri


def test_truth_as_it_was_counted(run: Path) -> None:
    """Where every true label counts as class 0, the plain model's labels are right."""
    results = Results.read(run)
    mapped = tuple(dataclasses.replace(each, truth_as=(0,) * 256) for each in results.outcomes)
    strip = only(dataclasses.replace(results, outcomes=mapped), run)
    assert {cell.text for cell in strip.rows[2].cells} == {'100 % right'}
    nothing = tuple(dataclasses.replace(each, truth_as=(255,) * 256) for each in results.outcomes)
    strip = only(dataclasses.replace(results, outcomes=nothing), run)
    assert {cell.text for cell in strip.rows[2].cells} == {''}


def test_masks_that_are_gone(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = Results.read(run)
    shutil.rmtree(run / results.outcomes[0].job.key)
    with caplog.at_level(logging.WARNING):
        strip = only(results, run)
    assert {cell.text for cell in strip.rows[2].cells} == {'not labelled'}
    assert 'no bag of masks there' in caplog.text


def test_a_source_that_is_gone(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = outcome(Job('/no/such/bag', 'iss', '25%'))
    with caplog.at_level(logging.WARNING):
        assert strips(Results((made,)), run) == []
    assert '/no/such/bag: no such file or folder' in caplog.text


def test_colours_of_an_outcome() -> None:
    made = outcome(Job('a', 'iss', '25%'))
    assert label_set_of(made).names == NAMES
    np.testing.assert_array_equal(label_set_of(made).palette, PALETTE)
    plain = dataclasses.replace(made, palette=())
    np.testing.assert_array_equal(label_set_of(plain).palette, default_palette(3))
