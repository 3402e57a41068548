"""Weights files into SAM 2: read, checked against the model, loaded."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ditta_ros.errors import ModelError, one_line

# What torch and safetensors let through of damaged files: whatever their parsers stumble over.
# Caught around their calls alone.
BROKEN = (
    OSError, EOFError, LookupError, RuntimeError, TypeError, ValueError, ArithmeticError,
    AssertionError, AttributeError, MemoryError, ImportError, struct.error, SafetensorError,
    pickle.UnpicklingError)
SAID_LENGTH = 120  # of their errors


def load_weights(model: nn.Module, checkpoint: Path, config: Path) -> None:
    """Load ``checkpoint`` into ``model``; floats are cast to the model's.

    ``checkpoint`` is ``.safetensors``, or ``.pt`` holding ``{'model': state}`` (read without
    running its pickle).  Raises ModelError unless its names and shapes are exactly the model's;
    ``config`` is named there.
    """
    state = _read(checkpoint)
    expected = {name: list(value.shape) for name, value in model.state_dict().items()}
    given = {name: list(value.shape) for name, value in state.items()}
    faults = [
        *_count('missing', [name for name in expected if name not in given]),
        *_count('unexpected', [name for name in given if name not in expected]),
        *_count('of another shape', [
            f'{name} {given[name]} for {shape}'
            for name, shape in expected.items() if given.get(name, shape) != shape])]
    if faults:
        raise ModelError(
            f'tracker.checkpoint {checkpoint} does not fit tracker.config {config}: '
            f'{"; ".join(faults)}. Use the yaml and the weights of one model')
    model.load_state_dict(state)


def _count(what: str, names: list[str]) -> list[str]:
    more = ', ...' if len(names) > 3 else ''
    return [f'{len(names)} tensors {what}: {", ".join(names[:3])}{more}'] if names else []


def _read(checkpoint: Path) -> dict[str, Tensor]:
    try:
        if checkpoint.suffix == '.safetensors':
            return load_file(checkpoint)
        loaded = torch.load(checkpoint, map_location='cpu', weights_only=True)
    except BROKEN as error:
        # torch's own go on for a page, and advise to run what is in the file.
        said = one_line(error)[:SAID_LENGTH] or type(error).__name__
        raise ModelError(f'tracker.checkpoint {checkpoint} cannot be read: {said}') from error
    state = loaded.get('model') if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(
            f"tracker.checkpoint {checkpoint} must hold {{'model': tensors by name}}, as the "
            'files of SAM 2 do, or end in .safetensors')
    return state
