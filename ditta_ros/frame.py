"""A camera frame on the device."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from ditta_ros.transfer import upload

# SegFormer's first stage has a grid of H/4 x W/4, which its attention reduces by 8.
SMALLEST_SIDE_PX = 32


@dataclass(frozen=True)
class Frame:
    """One camera image with the stamp and frame it was taken in.

    ``rgb`` is uint8 [H, W, 3] in RGB order, on the device that segments it.
    """

    stamp_ns: int
    frame_id: str
    rgb: torch.Tensor

    def __post_init__(self) -> None:
        if self.rgb.dtype != torch.uint8 or self.rgb.ndim != 3 or self.rgb.shape[2] != 3:
            raise ValueError(
                f'a frame is uint8 [H, W, 3] in RGB, got {self.rgb.dtype} '
                f'{list(self.rgb.shape)}: convert the image first')

    @classmethod
    def from_array(
        cls, rgb: np.ndarray, stamp_ns: int = 0, frame_id: str = '',
        device: torch.device | str = 'cpu',
    ) -> Frame:
        """Upload ``rgb`` (uint8 [H, W, 3], RGB); it is copied where it is read-only or strided.

        At most one copy is made before the upload, of a view of BGR or gray pixels, too.
        """
        is_image = rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == 3
        if is_image and torch.device(device).type == 'cuda':
            return cls(stamp_ns, frame_id, upload(rgb, device))
        return cls(stamp_ns, frame_id, torch.from_numpy(_packed(rgb)).to(device))

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width, in that order."""
        return self.rgb.shape[0], self.rgb.shape[1]

    def shrunk(self, max_side_px: int) -> Frame:
        """Return the frame with its longer side at most ``max_side_px``; 0: as it is.

        Bilinear with antialias; the aspect ratio is kept to the pixel, and no side falls below
        the 32 px that the segmenter needs, unless it was smaller before.
        """
        scale = max_side_px / max(self.size_px)
        if max_side_px == 0 or scale >= 1:
            return self
        height, width = (
            max(round(side * scale), min(side, SMALLEST_SIDE_PX)) for side in self.size_px)
        image = self.rgb.movedim(2, 0)[None].float()  # [1, 3, H, W]
        image = interpolate(
            image, (height, width), mode='bilinear', align_corners=False, antialias=True)
        rgb = image[0].movedim(0, 2).round().clamp(0, 255).to(torch.uint8)
        return Frame(self.stamp_ns, self.frame_id, rgb.contiguous())


def _packed(rgb: np.ndarray) -> np.ndarray:
    """Return ``rgb`` contiguous and writable (torch warns of other arrays), copied at most once.

    NumPy copies pixels whose channels are reversed or repeated one byte at a time: 4.9 and 6.7 ms
    at 1920x1080, against 0.1 ms by OpenCV from the BGR or gray pixels underneath.
    """
    if rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8:
        if rgb.strides[2] == -1:
            return cv2.cvtColor(rgb[:, :, ::-1], cv2.COLOR_BGR2RGB)
        if rgb.strides[2] == 0:
            return cv2.cvtColor(rgb[:, :, :1], cv2.COLOR_GRAY2RGB)
    return np.require(rgb, requirements=['C', 'W'])


def enlarge(
    label: torch.Tensor, reliability: torch.Tensor, size_px: tuple[int, int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return label [h, w] and reliability float32 [h, w] at ``size_px`` (H, W).

    The label is that of the nearest pixel, the reliability is interpolated.
    """
    # Of the integers torch interpolates uint8 alone; float32 holds every label of 16 bit.
    movable = label if label.dtype == torch.uint8 else label.float()
    return (
        interpolate(movable[None, None], size_px, mode='nearest-exact')[0, 0].to(label.dtype),
        interpolate(reliability[None, None], size_px, mode='bilinear', align_corners=False)[0, 0])
