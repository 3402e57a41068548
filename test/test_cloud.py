"""Back-projection and sampling by hand, on images that are not square."""

from __future__ import annotations

import numpy as np
import pytest

from ditta_ros.cloud import Pinhole, labelled_cloud, point_dtype, sample

CAMERA = Pinhole((2, 3), fx_px=2.0, fy_px=4.0, cx_px=1.0, cy_px=0.5)
DEPTH_M = np.array([[2.0, 1.0, 3.0], [1.0, 2.0, 4.0]], np.float32)


def test_a_point_is_right_down_and_ahead_of_the_camera() -> None:
    x, y, z = CAMERA.back_project(DEPTH_M)
    assert {each.dtype for each in (x, y, z)} == {np.dtype(np.float32)}
    assert {each.shape for each in (x, y, z)} == {(2, 3)}
    # Of pixel (x 0, y 0): (0 - 1) / 2 * 2 m and (0 - 0.5) / 4 * 2 m.
    assert (x[0, 0], y[0, 0], z[0, 0]) == (-1.0, -0.25, 2.0)
    # Of pixel (x 2, y 1): (2 - 1) / 2 * 4 m and (1 - 0.5) / 4 * 4 m.
    assert (x[1, 2], y[1, 2], z[1, 2]) == (2.0, 0.5, 4.0)


@pytest.mark.parametrize('unknown_m', [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_a_pixel_without_depth_is_nan(unknown_m: float) -> None:
    depth_m = DEPTH_M.copy()
    depth_m[1, 0] = unknown_m
    for values in CAMERA.back_project(depth_m):
        assert np.isnan(values).tolist() == [[False] * 3, [True, False, False]]


def test_the_same_view_in_half_the_size_has_half_the_focal_length() -> None:
    camera = Pinhole((480, 640), 500.0, 400.0, 319.5, 239.5)  # centred
    assert camera.scaled((240, 320)) == Pinhole((240, 320), 250.0, 200.0, 159.5, 119.5)
    assert camera.scaled((480, 640)) == camera
    # The pixel from 0 to 2 in the large image is the pixel from 0 to 1 in the small one.
    small = Pinhole((4, 4), 8.0, 8.0, 0.5, 0.5).scaled((2, 2))
    assert (small.cx_px, small.cy_px) == (0.0, 0.0)


def test_width_and_height_are_scaled_apart() -> None:
    assert Pinhole((2, 4), 8.0, 6.0, 1.5, 0.5).scaled((6, 8)) == Pinhole(
        (6, 8), 16.0, 18.0, 3.5, 2.5)


@pytest.mark.parametrize(('row', 'count', 'expected'), [
    ([1, 2, 3, 4], 2, [2, 4]), ([1, 2], 4, [1, 1, 2, 2]), ([1, 2, 3], 2, [1, 3]),
    ([1, 2, 3], 3, [1, 2, 3]), ([1, 2, 3], 1, [2]), ([7], 3, [7, 7, 7])])
def test_sampling_takes_the_nearest(row: list[int], count: int, expected: list[int]) -> None:
    image = np.array([row], np.uint8)
    assert sample(image, (1, count)).tolist() == [expected]
    assert sample(image.T, (count, 1))[:, 0].tolist() == expected
    assert sample(image.T[:, :, None], (count, 1))[:, 0, 0].tolist() == expected


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_a_point_has_colour_label_and_confidence(dtype: type) -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[1, 2] = (1, 2, 3)
    label = np.full((2, 3), np.iinfo(dtype).max, dtype)  # unlabelled
    label[1, 2] = 7
    reliability = np.zeros((2, 3), np.float32)
    reliability[1, 2] = 0.25
    points = labelled_cloud(DEPTH_M, CAMERA, rgb, label, reliability)
    assert points.shape == (2, 3)
    assert points.dtype == point_dtype(np.dtype(dtype))
    assert (points.dtype.itemsize, points['label'].dtype) == (24, dtype)
    point = points[1, 2]
    assert (point['x'], point['y'], point['z']) == (2.0, 0.5, 4.0)
    assert point['rgb'].tobytes() == np.uint32(0x010203).tobytes()
    assert (point['label'], point['confidence']) == (7, 0.25)
    assert points['label'][0, 0] == np.iinfo(dtype).max


def test_depth_of_another_size_samples_the_labels_and_scales_the_camera() -> None:
    label = np.arange(8, dtype=np.uint8).reshape(2, 4)
    rgb = np.repeat(label[:, :, None], 3, 2)
    depth_m = np.array([[np.nan, 2.0]], np.float32)
    camera = Pinhole((4, 8), 8.0, 8.0, 3.5, 1.5)  # of neither's size; centred
    points = labelled_cloud(depth_m, camera, rgb, label, label / np.float32(8))
    assert points['label'].tolist() == [[5, 7]]
    assert points['confidence'].tolist() == [[5 / 8, 7 / 8]]
    # At the depth's size fx is 2 and cx 0.5, fy 2 and cy 0.
    assert np.isnan(points['x'][0, 0])
    assert (points['x'][0, 1], points['y'][0, 1], points['z'][0, 1]) == (0.5, 0.0, 2.0)
