"""Image message -> RGB array and back: every conversion between ROS and numpy is here.

Rows are viewed through the message's ``step`` and ``is_bigendian``, never assumed to be packed.
rgb8, bgr8 and mono8 are viewed without a copy (``Frame.from_array`` makes the only one); the other
encodings cost one conversion by OpenCV.  What a message claims is checked before memory is taken
for it: raw pixels are bounded by the data that came, coded ones by ``MAX_CODED_PX``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
import torch
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ditta_ros.frame import SMALLEST_SIDE_PX, Frame
from ditta_ros.ros.coded_images import coded_size_px
from ditta_ros.stamps import nanoseconds

try:
    from cv_bridge import CvBridge
except ImportError:  # not in every installation, and only needed for unusual encodings
    CvBridge = None

CameraImage: TypeAlias = Image | CompressedImage

# A jpeg or png of a few bytes can claim gigapixels.  More than any camera has; 192 MiB as RGB.
MAX_CODED_PX = 2**26
_TEXT_LENGTH = 40  # of a message's text that an error repeats: it may be garbage, too


class MessageError(ValueError):
    """A message contradicts itself or cannot be read: the rule, what came, and the remedy."""


def _as_it_is(pixels: np.ndarray) -> np.ndarray:
    return pixels


def _backwards(pixels: np.ndarray) -> np.ndarray:
    """View BGR [H, W, 3] as RGB."""
    return pixels[:, :, ::-1]


def _thrice(pixels: np.ndarray) -> np.ndarray:
    """View gray [H, W, 1] as RGB, read-only."""
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _by_opencv(code: int) -> Callable[[np.ndarray], np.ndarray]:
    return partial(cv2.cvtColor, code=code)


@dataclass(frozen=True)
class Encoding:
    """How the pixels of one encoding lie in a row, and what makes them RGB."""

    channels: int
    item_bytes: int  # 1 or 2; 2-byte values are scaled from 0..65535 to 0..255
    to_rgb: Callable[[np.ndarray], np.ndarray]  # uint8 [H, W, channels] -> [H, W, 3]
    even_width: bool = False


# OpenCV names a Bayer pattern by the second and third pixel of the second row: its BG is RGGB.
_BAYER = {
    'rggb': _by_opencv(cv2.COLOR_BayerBG2RGB), 'bggr': _by_opencv(cv2.COLOR_BayerRG2RGB),
    'gbrg': _by_opencv(cv2.COLOR_BayerGR2RGB), 'grbg': _by_opencv(cv2.COLOR_BayerGB2RGB),
}
_UYVY = Encoding(2, 1, _by_opencv(cv2.COLOR_YUV2RGB_UYVY), even_width=True)
_YUYV = Encoding(2, 1, _by_opencv(cv2.COLOR_YUV2RGB_YUY2), even_width=True)
ENCODINGS = {
    'rgb8': Encoding(3, 1, _as_it_is),
    'bgr8': Encoding(3, 1, _backwards),
    'rgba8': Encoding(4, 1, _by_opencv(cv2.COLOR_RGBA2RGB)),
    'bgra8': Encoding(4, 1, _by_opencv(cv2.COLOR_BGRA2RGB)),
    'mono8': Encoding(1, 1, _thrice),
    'rgb16': Encoding(3, 2, _as_it_is),
    'bgr16': Encoding(3, 2, _backwards),
    'mono16': Encoding(1, 2, _thrice),
    **{f'bayer_{order}8': Encoding(1, 1, to_rgb) for order, to_rgb in _BAYER.items()},
    **{f'bayer_{order}16': Encoding(1, 2, to_rgb) for order, to_rgb in _BAYER.items()},
    'yuv422': _UYVY, 'uyvy': _UYVY,  # ROS's yuv422 has chroma first
    'yuv422_yuy2': _YUYV, 'yuyv': _YUYV,
}
# A plane of luma, below it a plane of interleaved chroma with half the rows and the same step.
PLANAR = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}


def check(message: CameraImage) -> None:
    """Raise MessageError where ``message`` is no camera image that the segmenter can take.

    Its size, step, encoding and data must agree, and each side have 32 px.  Cheap: no pixel is
    read, so a jpeg or png, or what cv_bridge reads, may still fail to convert.
    """
    if isinstance(message, Image):
        _check_fields(message)
        height, width = message.height, message.width
    else:
        height, width = _check_coded(message)
    if min(height, width) < SMALLEST_SIDE_PX:
        raise MessageError(
            f'an image has at least {SMALLEST_SIDE_PX} px on each side, got {width} x {height}: '
            'use larger images')


def to_frame(message: CameraImage, device: torch.device | str = 'cpu') -> Frame:
    """Return the message's pixels, on ``device``, with its stamp and frame_id.

    Raises MessageError, as ``check`` does, too.
    """
    check(message)
    rgb = to_rgb(message) if isinstance(message, Image) else compressed_to_rgb(message)
    header = message.header
    return Frame.from_array(rgb, nanoseconds(header.stamp), header.frame_id, device)


def to_rgb(message: Image) -> np.ndarray:
    """Return the image as uint8 [H, W, 3] in RGB; a view of ``message.data`` for 3 encodings.

    These are rgb8, bgr8 and mono8.  YUV is BT.601, limited range.  Raises MessageError where
    size, step, encoding and data contradict one another, or where nobody here can read the
    encoding.
    """
    _check_fields(message)
    if message.encoding in PLANAR:
        planes = _view(message, message.height * 3 // 2, 1, 1)
        return cv2.cvtColor(planes, PLANAR[message.encoding])
    if message.encoding not in ENCODINGS:
        return _by_cv_bridge(message)
    encoding = ENCODINGS[message.encoding]
    pixels = _view(message, message.height, encoding.channels, encoding.item_bytes)
    if encoding.item_bytes == 2:
        pixels = cv2.convertScaleAbs(pixels.astype(np.uint16), alpha=255 / 65535)
        pixels = pixels.reshape(message.height, message.width, encoding.channels)
    return encoding.to_rgb(pixels)


def _check_fields(message: Image) -> None:
    """Raise MessageError where size, step, encoding and data contradict one another."""
    if message.height == 0 or message.width == 0:
        raise MessageError(
            f'an image has pixels, got {message.width} x {message.height}: '
            'check the camera driver')
    if message.encoding in PLANAR:
        if message.width % 2 or message.height % 2:
            raise MessageError(
                f'{message.encoding} shares chroma between 2 x 2 pixels, got {message.width} x '
                f'{message.height}: crop to an even size')
        _check_rows(message, message.height * 3 // 2, message.width)
    elif message.encoding in ENCODINGS:
        encoding = ENCODINGS[message.encoding]
        if encoding.even_width and message.width % 2:
            raise MessageError(
                f'{message.encoding} shares chroma between two pixels, got width '
                f'{message.width}: crop to an even width')
        _check_rows(
            message, message.height, message.width * encoding.channels * encoding.item_bytes)
    elif CvBridge is None:
        raise MessageError(
            f'encoding must be one of {_known()}, got {message.encoding[:_TEXT_LENGTH]!r}: '
            'convert the image, or install cv_bridge')


def _check_rows(message: Image, rows: int, row_bytes: int) -> None:
    if message.step < row_bytes:
        raise MessageError(
            f'step must be >= {row_bytes} bytes for {message.width} pixels of '
            f'{message.encoding}, got {message.step}: check width, step and encoding')
    if len(message.data) != rows * message.step:
        raise MessageError(
            f'{message.encoding} of {message.height} rows with step {message.step} has '
            f'{rows * message.step} bytes, got {len(message.data)}: check height, step and data')


def _view(message: Image, rows: int, channels: int, item_bytes: int) -> np.ndarray:
    """View ``message.data`` as [rows, W, channels] through its step and byte order."""
    order = '>' if message.is_bigendian else '<'
    return np.ndarray(
        (rows, message.width, channels), f'{order}u{item_bytes}', buffer=message.data,
        strides=(message.step, channels * item_bytes, item_bytes))


def _by_cv_bridge(message: Image) -> np.ndarray:
    encoding = message.encoding[:_TEXT_LENGTH]
    try:
        rgb = CvBridge().imgmsg_to_cv2(message, 'rgb8')
    except (RuntimeError, TypeError, ValueError, cv2.error) as error:
        raise MessageError(
            f'encoding must be one of {_known()} or one of cv_bridge, got {encoding!r}: '
            f'convert the image (cv_bridge: {error})') from error
    # cv_bridge takes the padding of a row for pixels.
    if rgb.shape != (message.height, message.width, 3):
        raise MessageError(
            f'cv_bridge reads only packed rows, got {encoding} with step {message.step}: '
            'convert the image')
    return rgb


def _known() -> str:
    return ', '.join([*ENCODINGS, *PLANAR])


def compressed_to_rgb(message: CompressedImage) -> np.ndarray:
    """Decode a jpeg or png to uint8 [H, W, 3] in RGB; 16-bit images are scaled to 8.

    Raises MessageError where the data are no such image, or claim more than ``MAX_CODED_PX``.
    """
    size_px = _check_coded(message)
    # IGNORE_ORIENTATION: a jpeg's EXIF tag must not turn the image away from its camera_info.
    mode = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(message.data, np.uint8), mode)
    except cv2.error:
        bgr = None  # it says so in either way, by the version and the fault
    if bgr is None or bgr.shape[:2] != size_px:
        raise _not_coded(message)
    return bgr[:, :, ::-1]


def _check_coded(message: CompressedImage) -> tuple[int, int]:
    """Return height and width; raise MessageError where these are no whole jpeg or png."""
    size_px = None if 'compressedDepth' in message.format else coded_size_px(message.data)
    if size_px is None:
        raise _not_coded(message)
    height, width = size_px
    if height * width > MAX_CODED_PX:
        raise MessageError(
            f'a compressed image has at most {MAX_CODED_PX} pixels, got {width} x {height} '
            f'in {len(message.data)} bytes: check the publisher, or use smaller images')
    return size_px


def _not_coded(message: CompressedImage) -> MessageError:
    return MessageError(
        f'a compressed image is a jpeg or png, got format {message.format[:_TEXT_LENGTH]!r} with '
        f'{len(message.data)} bytes that do not decode: check the publisher')


def to_message(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """Make an Image of ``pixels``, [H, W] or [H, W, C] of uint8 or uint16, in this byte order.

    ``header`` is copied as it is; rows are packed (step = row bytes).
    """
    pixels = np.ascontiguousarray(pixels)
    message = Image(
        header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        step=pixels.strides[0], is_bigendian=int(sys.byteorder == 'big'))
    # Not by the setter: it copies once more, or, by the distribution, checks each element of
    # anything but an array.array (340 ms at 1080p).
    message.data.frombytes(pixels.data.cast('B'))
    return message
