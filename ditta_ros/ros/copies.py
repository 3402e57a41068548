"""How often the node copies the pixels of a message; measured by the bench."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
from std_msgs.msg import Header

from ditta_ros.ros.messages import to_frame, to_message


def copies_in(encoding: str, size_px: tuple[int, int]) -> float:
    """Return the bytes allocated to make a frame of an rgb8 or bgr8 image over the image's own.

    ``size_px`` is (H, W).  On the CPU; an upload to a GPU is one copy more.
    """
    pixels = np.zeros((*size_px, 3), np.uint8)
    message = to_message(pixels, encoding, Header())
    return _allocated(lambda: to_frame(message)) / pixels.nbytes


def copies_out(size_px: tuple[int, int]) -> float:
    """Return the bytes allocated to make a message of a mask over the mask's own."""
    label = np.zeros(size_px, np.uint8)
    return _allocated(lambda: to_message(label, 'mono8', Header())) / label.nbytes


def _allocated(make: Callable[[], object]) -> float:
    """Return the peak of what Python, numpy and OpenCV allocate meanwhile, in bytes."""
    make()  # what is made once does not count
    tracemalloc.start()
    try:
        made = make()  # held, so that it counts
        _, peak = tracemalloc.get_traced_memory()
        del made
    finally:
        tracemalloc.stop()
    return peak
