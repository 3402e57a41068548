"""A camera frame on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


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
