"""Images and label maps of files, as numpy arrays."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ditta_ros.evaluation.source import Skipped, SourceError, SourceFrame, even_stamp_ns
from ditta_ros.ros.coded_images import coded_size_px

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
JPEG_SUFFIXES = ('.jpeg', '.jpg')
LABEL_SUFFIXES = ('.png', '.bmp', '.tif', '.tiff')  # without loss
LABEL_MODES = ('L', 'P')  # gray values or colour numbers of 8 bit: class indices as they are


@dataclass(frozen=True)
class Labelled:
    """An image file and, where it has one, the file of its labels."""

    image: Path
    label: Path | None = None


def read_frames(
    files: Sequence[Labelled], rate_hz: float, table: np.ndarray,
) -> Generator[SourceFrame | Skipped, None, None]:
    """Yield the frames of ``files``, stamped at ``rate_hz``; one that is broken keeps its place.

    ``table``, uint8 [256]: the class of each value in a label file.
    Raises SourceError for labels of another kind than ``LABEL_MODES``.
    """
    for index, file in enumerate(files):
        rgb = read_rgb(file.image)
        if isinstance(rgb, Skipped):
            yield rgb
            continue
        label = read_label(file.label) if file.label is not None else None
        if isinstance(label, Skipped):
            yield label  # the image goes on without its label
            label = None
        yield SourceFrame(
            even_stamp_ns(index, rate_hz), rgb, None if label is None else table[label])


def read_rgb(path: Path) -> np.ndarray | Skipped:
    """Return an image as uint8 [H, W, 3] in RGB."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Skipped(path.name, 'is missing')
    except OSError as error:
        return Skipped(path.name, f'cannot be read: {error.strerror}')
    # OpenCV fills up a jpeg that is cut with gray.
    is_cut = path.suffix.lower() in JPEG_SUFFIXES and coded_size_px(array('B', data)) is None
    try:
        bgr = None if is_cut else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        bgr = None  # it says so in either way, by the fault
    return Skipped(path.name, 'cannot be read as an image') if bgr is None else to_rgb(bgr)


def read_label(path: Path) -> np.ndarray | Skipped:
    """Return the values of a label image, uint8 [H, W]; raises SourceError, as above."""
    # Not by OpenCV, which gives the colours of a palette in place of its numbers.
    try:
        with Image.open(path) as image:
            mode, values = image.mode, np.array(image)
    # SyntaxError is a broken PNG; the bomb is a size of gigapixels, which is damage here.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return Skipped(path.name, 'cannot be read as a label image')
    if mode not in LABEL_MODES:
        raise SourceError(
            f'{path}: a label image has one channel of 8 bit, whose values are classes, got '
            f'{mode}: convert the labels')
    return values


def to_rgb(bgr: np.ndarray) -> np.ndarray:
    """Return OpenCV's BGR, uint8 [H, W, 3], as contiguous RGB."""
    return np.ascontiguousarray(bgr[:, :, ::-1])
