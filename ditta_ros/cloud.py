"""A depth image as a cloud of labelled points: back-projection and sampling, in numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pinhole:
    """Intrinsics of an image of ``size_px`` (H, W): focal lengths and principal point.

    The centre of the image's first pixel is at (0, 0), as everywhere in ROS.
    """

    size_px: tuple[int, int]
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float

    def scaled(self, size_px: tuple[int, int]) -> Pinhole:
        """Return the intrinsics of the same view in an image of another size (H, W)."""
        down, across = size_px[0] / self.size_px[0], size_px[1] / self.size_px[1]
        # The view begins half a pixel before the first pixel's centre, in both images.
        return Pinhole(
            size_px, self.fx_px * across, self.fy_px * down,
            (self.cx_px + 0.5) * across - 0.5, (self.cy_px + 0.5) * down - 0.5)

    def back_project(self, depth_m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, y and z of every pixel, float32 [H, W] each, in metres.

        ``depth_m`` is float32 [H, W], of this size, along the optical axis.  x points right, y
        down, z forward: the optical frame of REP 103.  NaN where depth is not a finite number
        above 0.
        """
        known = np.isfinite(depth_m) & (depth_m > 0)
        z = np.where(known, depth_m, np.float32(np.nan))
        height, width = self.size_px
        across = ((np.arange(width) - self.cx_px) / self.fx_px).astype(np.float32)  # [W]
        down = ((np.arange(height) - self.cy_px) / self.fy_px).astype(np.float32)  # [H]
        return z * across, z * down[:, None], z


def sample(image: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """Return ``image`` [H, W] or [H, W, N] at ``size_px`` (h, w): of each pixel the nearest."""
    if image.shape[:2] == size_px:
        return image
    rows, columns = (
        ((np.arange(count) + 0.5) * (full / count)).astype(np.intp).clip(max=full - 1)
        for count, full in zip(size_px, image.shape[:2], strict=True))
    return image[rows[:, None], columns]


def point_dtype(label: np.dtype) -> np.dtype:
    """Return the layout of a point, 24 bytes whatever the dtype of its label (8 or 16 bit)."""
    return np.dtype({
        'names': ['x', 'y', 'z', 'rgb', 'label', 'confidence'],
        'formats': [np.float32, np.float32, np.float32, np.float32, label, np.float32],
        'offsets': [0, 4, 8, 12, 16, 20], 'itemsize': 24})


def labelled_cloud(
    depth_m: np.ndarray, camera: Pinhole, rgb: np.ndarray, label: np.ndarray,
    reliability: np.ndarray,
) -> np.ndarray:
    """Return a point for every pixel of ``depth_m``, float32 [h, w], as [h, w] of point_dtype.

    ``camera`` is that of the same view in whatever size; so are ``rgb`` uint8 [H, W, 3], ``label``
    uint8 or uint16 [H, W] and ``reliability`` float32 [H, W] in 0..1, which becomes the point's
    confidence.  ``rgb`` is packed 0x00RRGGBB in the bits of a float32, as RViz and PCL have it.
    """
    size_px = (depth_m.shape[0], depth_m.shape[1])
    points = np.zeros(size_px, point_dtype(label.dtype))
    points['x'], points['y'], points['z'] = camera.scaled(size_px).back_project(depth_m)
    red, green, blue = np.moveaxis(sample(rgb, size_px).astype(np.uint32), 2, 0)
    points['rgb'] = (red << 16 | green << 8 | blue).view(np.float32)
    points['label'] = sample(label, size_px)
    points['confidence'] = sample(reliability, size_px)
    return points
