"""Camera messages of every encoding, made of RGB pictures by hand rather than by the package."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

# 8 bits per channel (or their 257-fold in 16), so that the picture comes back as it was.
LOSSLESS = ('rgb8', 'bgr8', 'rgba8', 'bgra8', 'rgb16', 'bgr16')


def encode(
    rgb: np.ndarray, encoding: str, header: Header, padding_bytes: int = 0,
    is_bigendian: bool = False,
) -> Image:
    """Make an Image of ``rgb`` (uint8 [H, W, 3], even H and W), with junk behind each row."""
    pixels = _CODERS[encoding.removesuffix('16').removesuffix('8')](rgb)
    if encoding.endswith('16'):
        pixels = (pixels.astype(np.uint16) * 257).astype('>u2' if is_bigendian else '<u2')
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.hstack([rows, np.full((len(rows), padding_bytes), 0xEE, np.uint8)])
    return Image(
        header=header, height=rgb.shape[0], width=rgb.shape[1], encoding=encoding,
        step=rows.shape[1], is_bigendian=int(is_bigendian), data=array('B', rows.tobytes()))


def compress(rgb: np.ndarray, form: str, header: Header) -> CompressedImage:
    """Make a CompressedImage of ``rgb``; ``form`` is jpeg or png."""
    return CompressedImage(header=header, format=form, data=array('B', coded(rgb, form)))


def coded(rgb: np.ndarray, form: str) -> bytes:
    """Return ``rgb`` as a jpeg or png file."""
    done, data = cv2.imencode(f'.{form}', np.ascontiguousarray(rgb[:, :, ::-1]))
    assert done
    return data.tobytes()


def mosaic(rgb: np.ndarray, pattern: str) -> np.ndarray:
    """Keep of each pixel the colour that a Bayer ``pattern`` (rows first, as rggb) has there."""
    out = np.empty(rgb.shape[:2], np.uint8)
    for index, letter in enumerate(pattern):
        rows, columns = slice(index // 2, None, 2), slice(index % 2, None, 2)
        out[rows, columns] = rgb[rows, columns, 'rgb'.index(letter)]
    return out


def planes(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Y [H, W], U and V [H/2, W/2] of BT.601, limited range."""
    height, width = rgb.shape[:2]
    i420 = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)  # [H * 3/2, W]
    u, v = i420[height:].reshape(2, height // 2, width // 2)
    return i420[:height], u, v


def semiplanar(rgb: np.ndarray, order: str) -> np.ndarray:
    """Return Y above interleaved chroma, [H * 3/2, W]; ``order`` is uv or vu."""
    y, u, v = planes(rgb)
    chroma = {'u': u, 'v': v}
    return np.vstack([y, np.dstack([chroma[name] for name in order]).reshape(-1, y.shape[1])])


def packed(rgb: np.ndarray, order: str) -> np.ndarray:
    """Return pairs of pixels as four bytes in ``order``, which is uyvy or yuyv, [H, W * 2]."""
    y, u, v = planes(rgb)
    chroma = {'u': u.repeat(2, axis=0), 'v': v.repeat(2, axis=0)}  # [H, W/2]
    lumas = iter((y[:, ::2], y[:, 1::2]))
    return np.dstack([next(lumas) if name == 'y' else chroma[name] for name in order])


def _alpha(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, np.full(pixels.shape[:2], 77, np.uint8)])


def _gray(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def _bayer(pattern: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rgb: mosaic(rgb, pattern)


_CODERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'rgb': lambda rgb: rgb,
    'bgr': lambda rgb: np.ascontiguousarray(rgb[:, :, ::-1]),
    'rgba': _alpha,
    'bgra': lambda rgb: _alpha(rgb[:, :, ::-1]),
    'mono': _gray,
    **{f'bayer_{pattern}': _bayer(pattern) for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')},
    'yuv422': lambda rgb: packed(rgb, 'uyvy'),
    'uyvy': lambda rgb: packed(rgb, 'uyvy'),
    'yuv422_yuy2': lambda rgb: packed(rgb, 'yuyv'),
    'yuyv': lambda rgb: packed(rgb, 'yuyv'),
    'nv12': lambda rgb: semiplanar(rgb, 'uv'),
    'nv21': lambda rgb: semiplanar(rgb, 'vu'),
}
