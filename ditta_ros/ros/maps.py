"""The label maps of a frame as the pixels of the images that are published.

Maps on a GPU are made into these there, and come back in 8 bit (a wide mask in 16), with one wait
for mask and confidence and one for the images to look at.  On the CPU OpenCV is the fastest.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from ditta_ros.transfer import download


def mask_and_confidence(label: Tensor, reliability: Tensor) -> Iterator[np.ndarray]:
    """Yield the mask, uint8 or uint16 [H, W], and the confidence, uint8 [H, W].

    From ``label`` [H, W] and ``reliability``, float32 [H, W] in 0..1.  Where they are not on a
    GPU each is made when it is asked for.
    """
    if label.is_cuda:
        yield from download(narrow(label), in_255ths(reliability))
    else:
        yield narrow(label).numpy()
        yield cv2.convertScaleAbs(reliability.numpy(), alpha=255)


def narrow(label: Tensor) -> Tensor:
    """Return a label map as a mask holds it: uint8 as it is, wider labels as uint16."""
    return label if label.dtype == torch.uint8 else label.to(torch.uint16)


def in_255ths(reliability: Tensor) -> Tensor:
    """Return reliability of 0..1 as uint8, 0..255."""
    return (reliability * 255).round().to(torch.uint8)


def overlay(rgb: Tensor, colours: Tensor, labelled: Tensor, alpha: float) -> Tensor:
    """Blend class ``colours`` over ``rgb``, both uint8 [H, W, 3], where ``labelled`` [H, W].

    ``alpha`` is the opacity of the colours, 0..1.
    """
    if rgb.is_cuda:
        blend = mixed(rgb, colours, alpha)
    else:
        blend = torch.from_numpy(
            cv2.addWeighted(colours.numpy(), alpha, rgb.numpy(), 1 - alpha, 0))
    return torch.where(labelled[:, :, None], blend, rgb)


def mixed(rgb: Tensor, colours: Tensor, alpha: float) -> Tensor:
    """Do what OpenCV does, on any device; a value may differ by 1."""
    return torch.lerp(rgb.float(), colours.float(), alpha).round().to(torch.uint8)
