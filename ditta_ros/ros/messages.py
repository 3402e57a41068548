"""Image message -> RGB array and back: every conversion between ROS and numpy is here.

Rows are viewed through the message's ``step`` and ``is_bigendian``, never assumed to be packed.
rgb8 is viewed without a copy; the other encodings cost one conversion by OpenCV.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import torch
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ditta_ros.frame import Frame

try:
    from cv_bridge import CvBridge
except ImportError:  # not in every installation, and only needed for unusual encodings
    CvBridge = None

CameraImage: TypeAlias = Image | CompressedImage


class MessageError(ValueError):
    """A message contradicts itself or cannot be read: the rule, what came, and the remedy."""


@dataclass(frozen=True)
class Encoding:
    """How the pixels of one encoding lie in a row, and OpenCV's code that makes them RGB."""

    channels: int
    item_bytes: int  # 1 or 2; 2-byte values are scaled from 0..65535 to 0..255
    to_rgb: int | None
    even_width: bool = False


# OpenCV names a Bayer pattern by the second and third pixel of the second row: its BG is RGGB.
_BAYER = {
    'rggb': cv2.COLOR_BayerBG2RGB, 'bggr': cv2.COLOR_BayerRG2RGB,
    'gbrg': cv2.COLOR_BayerGR2RGB, 'grbg': cv2.COLOR_BayerGB2RGB,
}
ENCODINGS = {
    'rgb8': Encoding(3, 1, None),
    'bgr8': Encoding(3, 1, cv2.COLOR_BGR2RGB),
    'rgba8': Encoding(4, 1, cv2.COLOR_RGBA2RGB),
    'bgra8': Encoding(4, 1, cv2.COLOR_BGRA2RGB),
    'mono8': Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    'rgb16': Encoding(3, 2, None),
    'bgr16': Encoding(3, 2, cv2.COLOR_BGR2RGB),
    'mono16': Encoding(1, 2, cv2.COLOR_GRAY2RGB),
    **{f'bayer_{order}8': Encoding(1, 1, code) for order, code in _BAYER.items()},
    **{f'bayer_{order}16': Encoding(1, 2, code) for order, code in _BAYER.items()},
    # ROS's yuv422 is UYVY: chroma first.
    'yuv422': Encoding(2, 1, cv2.COLOR_YUV2RGB_UYVY, even_width=True),
    'uyvy': Encoding(2, 1, cv2.COLOR_YUV2RGB_UYVY, even_width=True),
    'yuv422_yuy2': Encoding(2, 1, cv2.COLOR_YUV2RGB_YUY2, even_width=True),
    'yuyv': Encoding(2, 1, cv2.COLOR_YUV2RGB_YUY2, even_width=True),
}
# A plane of luma, below it a plane of interleaved chroma with half the rows and the same step.
PLANAR = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}


def to_frame(message: CameraImage, device: torch.device | str = 'cpu') -> Frame:
    """Return the message's pixels, on ``device``, with its stamp and frame_id.

    Raises MessageError.
    """
    rgb = to_rgb(message) if isinstance(message, Image) else compressed_to_rgb(message)
    stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
    return Frame.from_array(rgb, stamp_ns, message.header.frame_id, device)


def to_rgb(message: Image) -> np.ndarray:
    """Return the image as uint8 [H, W, 3] in RGB; a view of ``message.data`` for rgb8.

    YUV is BT.601, limited range.  Raises MessageError where size, step, encoding and data
    contradict one another, or where nobody here can read the encoding.
    """
    if message.height == 0 or message.width == 0:
        raise MessageError(
            f'an image has pixels, got {message.width} x {message.height}: '
            'check the camera driver')
    if message.encoding in PLANAR:
        return _planar_to_rgb(message)
    if message.encoding not in ENCODINGS:
        return _by_cv_bridge(message)
    encoding = ENCODINGS[message.encoding]
    if encoding.even_width and message.width % 2:
        raise MessageError(
            f'{message.encoding} shares chroma between two pixels, got width {message.width}: '
            'crop to an even width')
    pixels = _view(message, message.height, encoding.channels, encoding.item_bytes)
    if encoding.item_bytes == 2:
        pixels = cv2.convertScaleAbs(pixels.astype(np.uint16), alpha=255 / 65535)
        pixels = pixels.reshape(message.height, message.width, encoding.channels)
    return pixels if encoding.to_rgb is None else cv2.cvtColor(pixels, encoding.to_rgb)


def _planar_to_rgb(message: Image) -> np.ndarray:
    if message.width % 2 or message.height % 2:
        raise MessageError(
            f'{message.encoding} shares chroma between 2 x 2 pixels, got {message.width} x '
            f'{message.height}: crop to an even size')
    planes = _view(message, message.height * 3 // 2, 1, 1)
    return cv2.cvtColor(planes, PLANAR[message.encoding])


def _view(message: Image, rows: int, channels: int, item_bytes: int) -> np.ndarray:
    """View ``message.data`` as [rows, W, channels] through its step and byte order."""
    row_bytes = message.width * channels * item_bytes
    if message.step < row_bytes:
        raise MessageError(
            f'step must be >= {row_bytes} bytes for {message.width} pixels of '
            f'{message.encoding}, got {message.step}: check width, step and encoding')
    if len(message.data) != rows * message.step:
        raise MessageError(
            f'{message.encoding} of {message.height} rows with step {message.step} has '
            f'{rows * message.step} bytes, got {len(message.data)}: check height, step and data')
    order = '>' if message.is_bigendian else '<'
    return np.ndarray(
        (rows, message.width, channels), f'{order}u{item_bytes}', buffer=message.data,
        strides=(message.step, channels * item_bytes, item_bytes))


def _by_cv_bridge(message: Image) -> np.ndarray:
    known = ', '.join([*ENCODINGS, *PLANAR])
    if CvBridge is None:
        raise MessageError(
            f'encoding must be one of {known}, got {message.encoding!r}: convert the image, or '
            'install cv_bridge')
    try:
        rgb = CvBridge().imgmsg_to_cv2(message, 'rgb8')
    except (RuntimeError, TypeError, ValueError, cv2.error) as error:
        raise MessageError(
            f'encoding must be one of {known} or one of cv_bridge, got {message.encoding!r}: '
            f'convert the image (cv_bridge: {error})') from error
    # cv_bridge takes the padding of a row for pixels.
    if rgb.shape != (message.height, message.width, 3):
        raise MessageError(
            f'cv_bridge reads only packed rows, got {message.encoding} with step {message.step}: '
            'convert the image')
    return rgb


def compressed_to_rgb(message: CompressedImage) -> np.ndarray:
    """Decode a jpeg or png to uint8 [H, W, 3] in RGB; 16-bit images are scaled to 8.

    Raises MessageError where the data are no such image.
    """
    coded = np.frombuffer(message.data, np.uint8)
    # IGNORE_ORIENTATION: a jpeg's EXIF tag must not turn the image away from its camera_info.
    mode = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = None if 'compressedDepth' in message.format or not coded.size else cv2.imdecode(
        coded, mode)
    if bgr is None:
        raise MessageError(
            f'a compressed image is a jpeg or png, got format {message.format!r} with '
            f'{coded.size} bytes that do not decode: check the publisher')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def to_message(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """Make an Image of ``pixels``, [H, W] or [H, W, C] of uint8 or uint16, in this byte order.

    ``header`` is copied as it is; rows are packed (step = row bytes).
    """
    pixels = np.ascontiguousarray(pixels)
    message = Image(
        header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        step=pixels.strides[0], is_bigendian=int(sys.byteorder == 'big'))
    # The setter checks each element of anything but an array.array: 0.2 ms against 340 at 1080p.
    data = array('B')
    data.frombytes(pixels.data.cast('B'))
    message.data = data
    return message


def overlay(
    rgb: np.ndarray, colours: np.ndarray, labelled: np.ndarray, alpha: float,
) -> np.ndarray:
    """Blend class ``colours`` over ``rgb``, both uint8 [H, W, 3], where ``labelled`` [H, W].

    ``alpha`` is the opacity of the colours, 0..1.
    """
    blend = cv2.addWeighted(colours, alpha, rgb, 1 - alpha, 0)
    return np.where(labelled[:, :, None], blend, rgb)
