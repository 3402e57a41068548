"""Adapted-decoder files: the head that has learnt, with its provenance, in one safetensors file.

The backbone is not in the file: it belongs to the ``segmenter.model`` that was adapted, known by
its hash.  Everything is in the file or nothing: it is written beside its place and moved there.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import fcntl
import glob
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from ditta_ros.errors import ModelError, one_line, printable
from ditta_ros.provenance import Provenance, digest
from ditta_ros.segmenter import Head, Segmenter

FORMAT = 'ditta_ros adapted decoder'
FORMAT_VERSION = '1'
HEADER_BYTES = 2 ** 20  # names, shapes and provenance take a small part of it
SAID_LENGTH = 400  # of a fault, at most: it repeats what the file says
SAVE_AGAIN = 'save it again, or adapt again'


class CheckpointError(ModelError):
    """A file cannot be written, or not be used; the message names it, the cause and the remedy."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(f'checkpoint.path {str(path)!r} {_short_text(why)}: {remedy}')


@dataclass(frozen=True, eq=False)
class Adapted:
    """A head that has learnt, and where it comes from."""

    head: Head
    provenance: Provenance


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the tensors that hold infinity or NaN, as after a step too far."""
    return [name for name, value in state.items() if not value.isfinite().all()]


def save(path: Path, adapted: Adapted) -> None:
    """Write ``adapted`` to ``path``, whole or not at all; raises CheckpointError."""
    state = {
        name: value.detach().cpu().contiguous()
        for name, value in adapted.head.state_dict().items()}
    provenance = adapted.provenance.to_json()
    data = safetensors.save(state, {
        'format': FORMAT, 'format_version': FORMAT_VERSION, 'provenance': provenance,
        'content_sha256': digest(state, provenance)})
    try:
        _write_whole(path, data)
    except OSError as error:
        raise CheckpointError(
            path, f'cannot be written ({one_line(error)})',
            'name a file in a folder that exists, may be written to and has '
            f'{len(data) / 1e6:.1f} MB left') from error


def load(path: Path, segmenter: Segmenter, base_sha256: str) -> Adapted:
    """Read an adapted head for ``segmenter``, whose ``base_hash`` is given.

    Raises CheckpointError for all but a whole, unchanged file that ``save`` wrote for the same
    base model and classes.
    """
    expected = segmenter.head.state_dict()
    data = _read(path, sum(value.nbytes for value in expected.values()) + HEADER_BYTES)
    state, metadata = _parse(path, data)
    provenance = _provenance(path, metadata)
    if provenance.base_sha256 != base_sha256:
        raise CheckpointError(
            path, f'was adapted from weights {provenance.base_sha256[:12]}, and those of '
            f'segmenter.model are {base_sha256[:12]}',
            'set segmenter.model to the one that it was adapted from, or adapt again')
    names = list(segmenter.label_set.names)
    if provenance.classes != names:
        raise CheckpointError(
            path, f'knows the classes {_short(provenance.classes)}, and segmenter.model '
            f'{_short(names)}', 'correct id2label in the config.json of segmenter.model, or '
            'adapt again')
    if provenance.colours is not None and segmenter.trained_on is None:
        raise CheckpointError(
            path, 'learnt in the colours of a training that segmenter.model does not tell',
            'restore ditta_training_colours in its config.json, or adapt again')
    _check_tensors(path, state, expected)
    if metadata.get('content_sha256') != digest(state, metadata['provenance']):
        raise CheckpointError(path, 'was changed after it had been saved', SAVE_AGAIN)
    head = copy.deepcopy(segmenter.head)
    head.load_state_dict(state)
    return Adapted(head.requires_grad_(False).eval(), provenance)


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file beside ``path`` and move it there once the disk has it."""
    _remove_abandoned(path)
    part = path.parent / f'.{path.name}.{secrets.token_hex(4)}.part'
    with part.open('xb') as file:
        try:
            with contextlib.suppress(OSError):  # a file system without locks: none is removed
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)  # it is not there any more where all went well
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or the move may be lost when the power goes
    except OSError as error:
        if error.errno != errno.EINVAL:  # of file systems that do not do this for folders
            raise
    finally:
        os.close(folder)


def _remove_abandoned(path: Path) -> None:
    """Remove what processes left beside ``path`` that were killed while they saved it.

    The lock of one that is still at it goes with the process, however it ends.
    """
    for part in path.parent.glob(f'.{glob.escape(path.name)}.{"[0-9a-f]" * 8}.part'):
        if not part.is_file():  # to open a pipe would wait
            continue
        # Of somebody else, on a file system without locks, or being written now: not ours.
        with contextlib.suppress(OSError), part.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            part.unlink()


def _read(path: Path, limit_bytes: int) -> bytes:
    """Return the file's bytes; one that is too large for what it should hold is not read."""
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait
            raise CheckpointError(path, 'is not a file', 'name one that was saved')
        with path.open('rb') as file:
            data = file.read(limit_bytes + 1)
    except FileNotFoundError as error:
        raise CheckpointError(
            path, 'does not exist', 'save an adapted model first, or correct the path') from error
    except OSError as error:
        raise CheckpointError(
            path, f'cannot be read ({one_line(error)})',
            'name a file that may be read') from error
    if len(data) > limit_bytes:
        raise CheckpointError(
            path, f'has more than the {limit_bytes} bytes of an adapted head of segmenter.model',
            'set segmenter.model to the one that it was adapted from, or adapt again')
    return data


def _parse(path: Path, data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors, on the CPU, and the metadata of a safetensors file."""
    try:
        state = safetensors.load(data)  # checks the header that is read again below
        header = json.loads(data[8:8 + int.from_bytes(data[:8], 'little')])
    # KeyError: a dtype that torch lacks.
    except (KeyError, RecursionError, SafetensorError, ValueError) as error:
        raise CheckpointError(
            path, f'is not a whole safetensors file ({one_line(error)})', SAVE_AGAIN) from error
    return state, header.get('__metadata__') or {}


def _provenance(path: Path, metadata: Mapping[str, str]) -> Provenance:
    if metadata.get('format') != FORMAT:
        raise CheckpointError(
            path, f'has no metadata that says {FORMAT!r}',
            'name a file that ditta_ros saved; a whole SegFormer belongs in segmenter.model')
    found = metadata.get('format_version')
    if found != FORMAT_VERSION:
        raise CheckpointError(
            path, f'has the format version {found!r}, and version {FORMAT_VERSION!r} is read here',
            'adapt again, or use the ditta_ros that saved it')
    try:
        return Provenance.from_json(metadata['provenance'])
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise CheckpointError(
            path, f'has no readable provenance ({one_line(error)})', SAVE_AGAIN) from error


def _check_tensors(
    path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor],
) -> None:
    """Refuse tensors that are not the head's by name, shape and dtype, or not finite."""
    faults = [f'lacks {name}' for name in expected if name not in state]
    faults += [f'has {name} too much' for name in state if name not in expected]
    faults += [
        f'has {name} as {_kind(state[name])} for {_kind(value)}'
        for name, value in expected.items() if _kind(state.get(name, value)) != _kind(value)]
    # Last, since not every dtype can be asked whether it is finite.
    if faults := faults or [f'has {name} not finite' for name in not_finite(state)]:
        more = f', and {len(faults) - 1} more' if len(faults) > 1 else ''
        raise CheckpointError(path, f'{faults[0]}{more}', SAVE_AGAIN)


def _kind(value: Tensor) -> str:
    return f'{str(value.dtype).removeprefix("torch.")} {list(value.shape)}'


def _short_text(text: str) -> str:
    """Return a text that may repeat what a file says as one short line that can be sent on."""
    return printable(text[:SAID_LENGTH]) + ('...' if len(text) > SAID_LENGTH else '')


def _short(names: list[str]) -> str:
    return f'{", ".join(names[:4])}{", ..." if len(names) > 4 else ""} ({len(names)})'
