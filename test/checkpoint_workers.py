"""What processes of their own run in the tests of checkpoints: it must be importable there."""

from __future__ import annotations

import dataclasses
import resource
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from ditta_ros.checkpoint import Adapted, CheckpointError, save
from ditta_ros.provenance import Provenance
from ditta_ros.segmenter import Head

DIM = 256  # a file of 3 MB: long enough to write that one can be caught at it


def marked(provenance: Provenance, mark: int) -> Adapted:
    """A head whose weights are all ``mark``, as are the steps in its provenance."""
    head = Head((8, 16, 24, 32), DIM, 5).requires_grad_(False).eval()
    for value in head.state_dict().values():
        value.fill_(mark)
    return Adapted(head, dataclasses.replace(provenance, steps=mark))


def save_for_ever(path: Path, provenance: Provenance) -> None:
    """Save two heads in turns until the process is killed."""
    torch.set_num_threads(1)
    heads = [marked(provenance, mark) for mark in (1, 2)]
    while True:
        for head in heads:
            save(path, head)


def save_on_a_full_disk(
    path: Path, provenance: Provenance, room_bytes: int, answer: Connection,
) -> None:
    """Save where a file may have ``room_bytes`` at most; answer with the error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes))
    try:
        save(path, marked(provenance, 1))
    except CheckpointError as error:
        answer.send(str(error))
    else:
        answer.send('no error')
