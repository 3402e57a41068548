"""The device that the networks run on."""

from __future__ import annotations

import logging
from functools import cache

import torch

from ditta_ros.errors import ModelError

_log = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """Return the device that ``segmenter.device`` names; auto is the first GPU, else the CPU."""
    there = torch.cuda.is_available()
    if name == 'cuda' and not there:
        raise ModelError(
            'segmenter.device cuda needs a GPU that torch can use, got none: install a CUDA build '
            'of torch and its driver, or set segmenter.device to auto or cpu')
    if name == 'cpu' or not there:
        why = (f'torch {torch.__version__} finds no GPU that it can use; ros2 run ditta_ros '
               'doctor says why') if name == 'auto' else 'as segmenter.device says'
        _warn_of_cpu(why)
        return torch.device('cpu')
    return torch.device('cuda')


@cache  # an evaluation opens the models for every job: said once, it is heard as well
def _warn_of_cpu(why: str) -> None:
    _log.warning('the networks run on the CPU, where they are slow: %s', why)


def describe(device: torch.device) -> str:
    """Return the device as people know it: CPU, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == 'cuda' else 'CPU'


def release_unused() -> None:
    """Give the GPU memory that torch keeps in reserve back to other processes."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
