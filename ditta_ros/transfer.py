"""Images to a GPU and maps back from it, through page-locked memory.

The driver copies other memory a second time, and makes the caller wait for that.  torch keeps
page-locked memory for the next image, and gives it out again once its copy is done.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def upload(rgb: np.ndarray, device: torch.device | str) -> Tensor:
    """Copy ``rgb``, uint8 [H, W, 3], to ``device`` without waiting; it may be changed afterwards.

    A view of BGR or of gray pixels is copied as it lies in memory; the device makes RGB of it.
    """
    backwards, gray = rgb.strides[2] == -1, rgb.strides[2] == 0
    pixels = rgb[:, :, ::-1] if backwards else rgb[:, :, :1] if gray else rgb
    staged = torch.empty(
        pixels.shape, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
    np.copyto(staged.numpy(), pixels)
    there = staged.to(device, non_blocking=True)
    if backwards:
        return there.flip(2)
    return there.expand(-1, -1, 3).contiguous()


def download(*maps: Tensor) -> list[np.ndarray]:
    """Return ``maps``, which are on one device, as arrays; from a GPU with one wait for all."""
    if not maps or not maps[0].is_cuda:
        return [each.numpy() for each in maps]
    staged = [torch.empty(each.shape, dtype=each.dtype, pin_memory=True) for each in maps]
    for host, each in zip(staged, maps, strict=True):
        host.copy_(each, non_blocking=True)
    torch.cuda.current_stream(maps[0].device).synchronize()
    return [host.numpy() for host in staged]
