"""A camera frame on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate

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
        """Upload ``rgb`` (uint8 [H, W, 3], RGB); it is copied where it is read-only or strided."""
        rgb = np.ascontiguousarray(rgb)
        # A view of a ROS message is read-only, and torch would warn that it could be written.
        rgb = rgb if rgb.flags.writeable else rgb.copy()
        return cls(stamp_ns, frame_id, torch.from_numpy(rgb).to(device))

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

def enlarge(
    label: torch.Tensor, reliability: torch.Tensor, size_px: tuple[int, int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return label uint8 [h, w] and reliability float32 [h, w] at ``size_px`` (H, W).

    The label is that of the nearest pixel, the reliability is interpolated.
    """
    return (
        interpolate(label[None, None], size_px, mode='nearest-exact')[0, 0],
        interpolate(reliability[None, None], size_px, mode='bilinear', align_corners=False)[0, 0])
