"""Crops of a still: the crop is where its way says, labels move with the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ditta_ros.evaluation.crops import FAR_M, Way, depth_of_rows
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.sources import open_source

HEIGHT, WIDTH = 90, 120
IGNORED = 11


@pytest.fixture
def spec(tmp_path: Path) -> str:
    """A still whose red is a pixel's column and green its row; label: 1 where the column >= 60."""
    for name in ('images', 'labels'):
        (tmp_path / name).mkdir()
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :, 0] = np.arange(WIDTH)
    rgb[:, :, 1] = np.arange(HEIGHT)[:, None]
    label = np.repeat((np.arange(WIDTH)[None] >= 60).astype(np.uint8), HEIGHT, 0)
    label[:, :5] = IGNORED
    cv2.imwrite(str(tmp_path / 'images' / 'a.png'), rgb[:, :, ::-1])
    cv2.imwrite(str(tmp_path / 'labels' / 'a.png'), label)
    return f'crops:folder={tmp_path},still=a,size=60x80,frames=40,rate=4,ignore={IGNORED}'


def test_picture_and_label_are_those_of_the_way(spec: str) -> None:
    source = open_source(spec)
    assert (source.length_frames, source.rate_hz, source.has_truth) == (40, 4.0, True)
    way = Way.draw(7, (HEIGHT, WIDTH), (60, 80))
    frames = list(source)
    for index, frame in enumerate(frames):
        (scale, _, left), (_, _, top) = way.matrix(index / 4)
        columns, rows = left + scale * np.arange(80), top + scale * np.arange(60)
        assert frame.rgb.shape == (60, 80, 3)
        assert frame.label is not None
        # Bilinear on a ramp is the ramp, but for rounding.
        np.testing.assert_allclose(
            frame.rgb[:, :, 0], np.broadcast_to(columns, (60, 80)), atol=1)
        np.testing.assert_allclose(
            frame.rgb[:, :, 1], np.broadcast_to(rows[:, None], (60, 80)), atol=1)
        inner = (np.abs(columns - 59.5) > .1) & (np.abs(columns - 4.5) > .1)
        expected = np.where(columns < 4.5, 255, columns > 59.5).astype(np.uint8)
        np.testing.assert_array_equal(
            frame.label[:, inner], np.broadcast_to(expected[inner], (60, int(inner.sum()))))
    assert {0, 1} <= set(np.unique(frames[0].label)) <= {0, 1, 255}
    assert frames[1].stamp_ns - frames[0].stamp_ns == 250_000_000


@pytest.mark.parametrize('seed', range(8))
def test_the_crop_stays_within_the_still_and_moves_slowly(seed: int) -> None:
    way = Way.draw(seed, (360, 480), (240, 320))
    corners = np.array([(0, 0, 1), (319, 239, 1)]).T
    seen = np.array([way.matrix(index / 10) @ corners for index in range(600)])  # [t, x y, corner]
    assert seen.min() >= -1e-9
    assert seen[:, 0].max() <= 479 + 1e-9 and seen[:, 1].max() <= 359 + 1e-9
    steps_px = np.abs(np.diff(seen, axis=0))
    assert .5 < steps_px.max() < 8
    # It sees other parts of the still.
    assert np.ptp(seen[:, 0, 0]) > 60 and np.ptp(seen[:, 1, 0]) > 40


def test_seeds_have_ways_of_their_own(spec: str) -> None:
    first, again, other = (next(iter(open_source(f'{spec},seed={seed}'))).rgb
                           for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_shift_changes_pictures_alone(spec: str) -> None:
    clean = list(open_source(spec))[3]
    for shift in ('fog:0.5', 'noise:0.5'):
        shifted = list(open_source(f'{spec},shift={shift}'))[3]
        assert not np.array_equal(shifted.rgb, clean.rgb)
        np.testing.assert_array_equal(shifted.label, clean.label)


def test_depth_by_hand() -> None:
    depth_m = depth_of_rows(100, 200)  # horizon at row 45, focal length 180 px
    assert depth_m[64] == pytest.approx(180 * 1.4 / 19.5)
    assert depth_m[10] == pytest.approx(180 * 4 / 34.5)
    assert depth_m[45] == depth_m[44] == FAR_M
    assert (np.diff(depth_m[45:]) <= 0).all()


@pytest.mark.parametrize(('change', 'says'), [
    ((',still=a', ''), 'crops need folder and still'),
    (('still=a', 'still=b'), r'no b in .*images'),
    (('60x80', '60'), "size must be HEIGHTxWIDTH in px, got '60'"),
    (('60x80', '91x80'), 'a crop must fit into the still of 90x120 px, got 91x80'),
    (('frames=40', 'frames=0'), 'frames >= 1'),
    (('frames=40', 'frames=x'), 'invalid literal'),
    (('rate=4', 'speed=4'), "the keys of crops are folder, still, .*got 'speed=4'"),
    (('rate=4', 'rate=4,rate=5'), "once each, got 'rate=5'"),
    (('rate=4', 'shift=rain:1'), 'shift must be clean or'),
])
def test_what_cannot_be_opened(spec: str, change: tuple[str, str], says: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        open_source(spec.replace(*change))
    assert '\n' not in str(caught.value)


def test_a_broken_still_is_said(spec: str, tmp_path: Path) -> None:
    (tmp_path / 'images' / 'a.png').write_bytes(b'no png')
    with pytest.raises(SourceError, match=r'a.png cannot be read as an image'):
        open_source(spec)


def test_a_label_of_another_size_is_said(spec: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'labels' / 'a.png'), np.zeros((HEIGHT, 10), np.uint8))
    with pytest.raises(SourceError, match='got 10x90 for 120x90'):
        open_source(spec)
