"""The device that the networks run on."""

from __future__ import annotations

import logging

import torch

from ditta_ros.errors import ModelError

_log = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """Return the device that ``segmenter.device`` names; auto is the first GPU, else the CPU."""
    if name == 'cuda' and not torch.cuda.is_available():
        raise ModelError(
            'segmenter.device cuda needs a GPU that torch can use, got none: install a CUDA build '
            'of torch and its driver, or set segmenter.device to auto or cpu')
    if name == 'auto':
        name = 'cuda' if torch.cuda.is_available() else 'cpu'
    if name == 'cpu':
        _log.warning('the networks run on the CPU')
    return torch.device(name)


def release_unused() -> None:
    """Give the GPU memory that torch keeps in reserve back to other processes."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
