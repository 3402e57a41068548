"""Whatever a camera sends: it is read, or refused with MessageError and nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from ditta_ros.ros.messages import CameraImage, MessageError, check, to_frame, to_rgb
from hostile_images import Hostile


def outcomes(
    make: Callable[[], CameraImage], read: Callable[[CameraImage], object], count: int,
) -> tuple[int, int]:
    """Return how many of ``count`` messages were read, and how many were refused."""
    refusals = []
    for _ in range(count):
        message = make()
        try:
            read(message)
        except MessageError as error:
            refusals.append(str(error))
    # One line each, in which garbage is not repeated at length.
    assert not [text for text in refusals if '\n' in text or len(text) > 500]
    return count - len(refusals), len(refusals)


def test_what_is_known_to_be_good_is_read_and_what_is_known_to_be_bad_is_refused() -> None:
    hostile = Hostile(0)
    for read in (check, to_frame):
        assert outcomes(hostile.good, read, 2000) == (2000, 0)
        assert outcomes(hostile.bad, read, 20_000) == (0, 20_000)
        assert outcomes(hostile.good_coded, read, 1000) == (1000, 0)
        assert outcomes(hostile.bad_coded, read, 2000) == (0, 2000)
    assert outcomes(hostile.undecodable, check, 200) == (200, 0)
    assert outcomes(hostile.undecodable, to_frame, 200) == (0, 200)


def test_fields_that_may_agree_or_not_give_an_image_or_a_refusal() -> None:
    def read(message: CameraImage) -> None:
        assert isinstance(message, Image)
        rgb = to_rgb(message)
        assert rgb.shape == (message.height, message.width, 3)
        assert rgb.dtype == np.uint8

    good, refused = outcomes(Hostile(1).scrambled, read, 50_000)
    assert good > 1000
    assert refused > 1000


def test_a_damaged_file_gives_an_image_or_a_refusal() -> None:
    def read(message: CameraImage) -> None:
        assert isinstance(message, CompressedImage)
        to_frame(message)

    good, refused = outcomes(Hostile(2).mutated, read, 5000)
    assert good > 100
    assert refused > 100


@pytest.mark.parametrize('width', [2**13, 2**16 - 1])
def test_a_file_is_not_decoded_to_more_pixels_than_a_camera_has(width: int) -> None:
    hostile = Hostile(3)
    message = hostile.good_coded()
    while message.format != 'png':
        message = hostile.good_coded()
    message.data[16:24] = array('B', width.to_bytes(4, 'big') * 2)
    said = 'that do not decode' if width == 2**13 else 'has at most 67108864 pixels, got 65535 x '
    with pytest.raises(MessageError, match=said):
        to_frame(message)
