"""Adapted-decoder files: damaged, or put together anew with the right digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors import torch as safetensors
from torch import Tensor

from ditta_ros.checkpoint import (
    FORMAT,
    FORMAT_VERSION,
    Adapted,
    CheckpointError,
    load,
    not_finite,
    save,
)
from ditta_ros.lessons import Progress
from ditta_ros.provenance import Provenance, base_hash, digest
from ditta_ros.segmenter import Head, Segmenter
from ditta_ros.settings import Settings
from ditta_ros.soak.hostile.damage import changed_tree, damaged, scalar
from ditta_ros.soak.hostile.refusal import Feed, WrongAnswerError, refused

DTYPES = (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool)


def small_segmenter(dim: int = 4) -> Segmenter:
    """Return the embedded segmenter with a head of width ``dim``, so that its file is small.

    The same head each time, or a file of one call would not be for the segmenter of another.
    """
    embedded = Segmenter.load('')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = Head((2, 2, 2, 2), dim, len(embedded.label_set)).requires_grad_(False).eval()
    return replace(embedded, head=head)


def open_feed(folder: Path) -> Feed:
    """Open a feed of files for one base model; see the package."""
    torch.manual_seed(0)
    segmenter, path = small_segmenter(), folder / 'head.safetensors'
    base_sha256 = base_hash(segmenter)
    provenance = Provenance.of(
        base_sha256, segmenter.label_set.names, Settings(), Progress(steps=3))
    save(path, Adapted(segmenter.head, provenance))
    good, state = path.read_bytes(), segmenter.head.state_dict()
    fields = asdict(provenance)

    def read() -> Adapted | None:
        try:
            return load(path, segmenter, base_sha256)
        except CheckpointError as error:
            refused(error)
            return None

    def feed(random: Random) -> bool:
        anew = random.random() < 0.5
        path.write_bytes(rebuilt(random, state, fields) if anew else damaged(random, good))
        loaded = read()
        if loaded is None:
            return False
        head = loaded.head.state_dict()
        if not_finite(head) or loaded.provenance.base_sha256 != base_sha256:
            raise WrongAnswerError('weights that are not finite, or of another model, were loaded')
        if not anew and not all(torch.equal(head[name], state[name]) for name in state):
            raise WrongAnswerError('a damaged file was loaded with other weights')
        return True

    return feed


def rebuilt(random: Random, state: dict[str, Tensor], fields: dict[str, Any]) -> bytes:
    """Return a whole file of changed tensors and provenance; its digest is mostly right."""
    changed, told = dict(state), fields
    for _ in range(random.choice((0, 0, 1, 2))):
        random.choice(_CHANGES)(random, changed)
    for _ in range(random.choice((0, 0, 1, 2))):
        told = changed_tree(random, told)
    text = json.dumps(told, default=str, skipkeys=True)
    metadata = {
        'format': FORMAT, 'format_version': FORMAT_VERSION, 'provenance': text,
        'content_sha256': digest(changed, text)}
    if random.random() < 0.2:
        metadata[random.choice(list(metadata))] = str(scalar(random)).encode(
            errors='replace').decode()
    return safetensors.save(changed, metadata)


def _drop(random: Random, state: dict[str, Tensor]) -> None:
    if state:
        del state[random.choice(list(state))]


def _add(random: Random, state: dict[str, Tensor]) -> None:
    state[random.choice(('more', '', 'a\nb', 'x' * 3000, 'fuse.weight'))] = torch.ones(1)


def _retype(random: Random, state: dict[str, Tensor]) -> None:
    if state:
        name = random.choice(list(state))
        state[name] = state[name].to(random.choice(DTYPES))


def _reshape(random: Random, state: dict[str, Tensor]) -> None:
    if state:
        name = random.choice(list(state))
        shape = random.choice(((), (0,), (1, 1, 1, 1, 1, 1), (2, 3), (state[name].numel(),)))
        state[name] = torch.ones(shape, dtype=state[name].dtype)


def _spoil(random: Random, state: dict[str, Tensor]) -> None:
    floats = [name for name, value in state.items() if value.is_floating_point()]
    if floats:
        name = random.choice(floats)
        state[name] = torch.full_like(state[name], random.choice((float('nan'), float('inf'))))


_CHANGES: tuple[Callable[[Random, dict[str, Tensor]], None], ...] = (
    _drop, _add, _retype, _reshape, _spoil)
