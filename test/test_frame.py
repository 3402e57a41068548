"""A frame is uint8 RGB with its stamp, whatever array it came from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ditta_ros.frame import Frame


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
