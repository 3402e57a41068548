"""Reads a checkpoint of SegFormer as PyTorch saves it; none of it is run."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ditta_ros.convert.names import Classes, as_palette
from ditta_ros.errors import ModelError, one_line

# What the first weight of a backbone is called: in NVlabs/SegFormer, in mmsegmentation.
FIRST_WEIGHTS = ('backbone.patch_embed1.proj.weight', 'backbone.layers.0.0.projection.weight')
_STATES = ('state_dict', 'model', 'model_state_dict')


@dataclass(frozen=True, eq=False)
class Source:
    """One model of a file: its weights by the names of its project, and its classes if given."""

    file: Path
    state: dict[str, Tensor]  # names begin with backbone. or a head's name
    left_out: list[str]  # tensors of the file that are of another model
    classes: Classes  # none where the file does not say


def read_source(file: Path, prefix: str | None = None) -> Source:
    """Read ``file``, a .pth or .pt of tensors and plain containers.

    ``prefix`` is what stands before ``backbone.`` in the names of the model; None: what does in
    this file.  Raises ModelError, in one line.
    """
    loaded = _load(file)
    state = _state(file, loaded)
    prefix = _prefix(file, state, prefix)
    return Source(
        file, {name.removeprefix(prefix): value for name, value in state.items()
               if name.startswith(prefix)},
        [name for name in state if not name.startswith(prefix)], _meta(loaded))


def _load(file: Path) -> Any:
    try:
        # Only zip files can be mapped; torch before 1.6 wrote another kind.
        return torch.load(
            file, map_location='cpu', weights_only=True, mmap=zipfile.is_zipfile(file))
    except UnpicklingError as error:
        found = re.search(r'GLOBAL (\S+)', str(error))
        raise ModelError(
            f'{file} must hold tensors and plain containers alone, got '
            f'{found[1] if found else one_line(error)}: where you trust the file, save its '
            'state_dict by itself with torch.save') from error
    # LookupError: what the reader stumbles over where the file is no pickle at all.
    except (OSError, EOFError, LookupError, RuntimeError, ValueError) as error:
        raise ModelError(
            f'{file} cannot be read as a PyTorch checkpoint ({one_line(error)}): give the .pth '
            'file of a SegFormer') from error


def _state(file: Path, loaded: Any) -> dict[str, Tensor]:
    state = loaded
    for name in _STATES:
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping) or not all(
            isinstance(name, str) and isinstance(value, Tensor)
            for name, value in state.items()):
        raise ModelError(
            f'{file} must hold tensors by name, by themselves or as one of {", ".join(_STATES)}, '
            f'got {type(loaded).__name__}: give the .pth file of a SegFormer')
    return dict(state)


def _prefix(file: Path, state: Mapping[str, Tensor], wanted: str | None) -> str:
    """Return what stands before ``backbone.`` in the names of the model that is wanted."""
    found = sorted({
        name.removesuffix(first) for name in state for first in FIRST_WEIGHTS
        if name.endswith(first)})
    if not found:
        raise ModelError(
            f'{file} must hold a SegFormer, got no tensor called {" or ".join(FIRST_WEIGHTS)} '
            f'among {len(state)}: give the .pth file of one')
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted not in found:
        raise ModelError(
            f'{file} holds models with the prefixes {", ".join(map(repr, found))}, got --prefix '
            f'{wanted!r}: name one of them')
    return wanted


def _meta(loaded: Any) -> Classes:
    """Return classes and palette as mmsegmentation keeps them, 0.x or later."""
    meta = loaded.get('meta') if isinstance(loaded, Mapping) else None
    if not isinstance(meta, Mapping):
        return Classes()
    nested = meta.get('dataset_meta')
    found = {name.lower(): value
             for name, value in (nested if isinstance(nested, Mapping) else meta).items()}
    names = found.get('classes') or ()
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        return Classes()
    return Classes(tuple(names), as_palette(found.get('palette'), len(names)))
