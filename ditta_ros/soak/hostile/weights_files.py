"""Weights for SAM 2, ``.pt`` and ``.safetensors``: damaged files."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import torch
from safetensors import torch as safetensors
from torch import nn

from ditta_ros.errors import ModelError
from ditta_ros.soak.hostile.damage import damaged
from ditta_ros.soak.hostile.refusal import Feed, refused
from ditta_ros.weights import load_weights

CONFIG = Path('model.yaml')  # is named in errors


def open_feed(folder: Path) -> Feed:
    """Open a feed of files; see the package."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    state = {name: value.clone() for name, value in network.state_dict().items()}
    files = {
        'a.pt': _saved(state, True), 'b.pt': _saved(state, False),
        'c.safetensors': safetensors.save(state)}

    def feed(random: Random) -> bool:
        name = random.choice(list(files))
        path = folder / name
        path.write_bytes(damaged(random, files[name]))
        try:
            load_weights(network, path, CONFIG)
        except ModelError as error:
            return refused(error)
        return True

    return feed


def _saved(state: dict[str, torch.Tensor], as_zip: bool) -> bytes:
    """Return the state as torch saves it today, or as it did before version 1.6."""
    file = io.BytesIO()
    torch.save({'model': state}, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()
