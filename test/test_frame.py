"""A frame is uint8 RGB with its stamp, whatever array it came from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ditta_ros.frame import Frame, enlarge


def test_a_read_only_strided_array_is_taken_as_it_looks() -> None:
    padded = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    view = padded[:, :6]
    view.flags.writeable = False
    frame = Frame.from_array(view, stamp_ns=7, frame_id='camera')
    assert frame.size_px == (4, 6)
    assert frame.rgb.tolist() == view.tolist()
    assert (frame.stamp_ns, frame.frame_id) == (7, 'camera')


@pytest.mark.parametrize('image', [
    np.zeros((4, 6), np.uint8), np.zeros((4, 6, 4), np.uint8), np.zeros((4, 6, 3), np.float32)])
def test_other_images_are_refused_with_what_came(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r'uint8 \[H, W, 3\] in RGB, got torch'):
        Frame(0, '', torch.from_numpy(image))


def test_a_large_frame_is_shrunk_and_keeps_its_shape() -> None:
    rgb = np.zeros((120, 200, 3), np.uint8)
    rgb[:, 100:] = (200, 100, 40)
    small = Frame.from_array(rgb, stamp_ns=7, frame_id='camera').shrunk(100)
    assert small.size_px == (60, 100)
    assert small.rgb[:, :49].unique().tolist() == [0]
    assert small.rgb[10, -1].tolist() == [200, 100, 40]
    assert (small.stamp_ns, small.frame_id) == (7, 'camera')


def test_shrinking_averages_what_it_merges() -> None:
    rgb = np.zeros((64, 128, 3), np.uint8)
    rgb[:, ::2] = 200  # stripes of one pixel
    small = Frame.from_array(rgb).shrunk(64).rgb[8:-8, 8:-8]
    assert (small.int() - 100).abs().max() <= 1


@pytest.mark.parametrize(('max_side_px', 'size_px'), [
    (0, (40, 400)), (400, (40, 400)), (1000, (40, 400)), (200, (32, 200))])
def test_how_far_a_frame_is_shrunk(max_side_px: int, size_px: tuple[int, int]) -> None:
    frame = Frame.from_array(np.zeros((40, 400, 3), np.uint8))
    assert frame.shrunk(max_side_px).size_px == size_px


@pytest.mark.parametrize(('first', 'dtype'), [(1, torch.uint8), (65534, torch.int32)])
def test_enlarging_takes_the_nearest_label_and_interpolates_the_reliability(first, dtype) -> None:
    label, reliability = enlarge(
        torch.tensor([[first, first + 1]], dtype=dtype), torch.tensor([[0.0, 1.0]]), (2, 4))
    assert label.dtype == dtype
    assert label.tolist() == [[first, first, first + 1, first + 1]] * 2
    assert reliability.tolist() == [[0.0, 0.25, 0.75, 1.0]] * 2
