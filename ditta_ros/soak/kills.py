"""Processes that are killed while they save an adapted-decoder file."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import torch

from ditta_ros.checkpoint import Adapted, CheckpointError, load, save
from ditta_ros.lessons import Progress
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.segmenter import Head, Segmenter
from ditta_ros.settings import Settings
from ditta_ros.soak.hostile.adapted_files import small_segmenter
from ditta_ros.soak.tick import Tick

DIM = 256  # a file of 2 MB: it takes long enough to write that a kill may come in between
WINDOW_SAVES = 4.0  # a kill comes within the time of so many saves
MARKS = (1, 2)  # of the two heads that are saved in turns
PARTS = '.*.part'
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Killed:
    """What came of ``kills``; ``wrong`` says of each file that did not load whole what it was.

    ``halfway``: so many left a half-written file beside the whole one.  ``left_over``: the most
    of these that ever were there at once.
    """

    kills: int
    halfway: int
    left_over: int
    wrong: tuple[str, ...]


def kill(kills: int, seed: int, folder: Path, tick: Tick) -> Killed:
    """Kill so many processes (SIGKILL), each at a random moment of saving, into ``folder``.

    Every other one is killed as soon as it has begun to write.
    """
    segmenter, path = small_segmenter(DIM), folder / 'head.safetensors'
    provenance = Provenance.of(
        base_hash(segmenter), segmenter.label_set.names, Settings(), Progress())
    for mark in MARKS:  # the first takes longer than all others
        begun_s = time.monotonic()
        save(path, marked(segmenter.head, provenance, mark))
    window_s = WINDOW_SAVES * (time.monotonic() - begun_s)
    # Forked from a process that has imported torch and computed nothing.
    children = multiprocessing.get_context('forkserver')
    children.set_forkserver_preload([__name__])
    moments, wrong, left_over = Random(seed), [], [0]
    for index in range(kills):
        ours, theirs = children.Pipe(duplex=False)
        process = children.Process(
            target=_save_in_turns, args=(segmenter.head, provenance, path, theirs))
        process.start()
        if not ours.poll(PATIENCE_S):
            process.kill()
            raise TimeoutError(f'a process did not begin to save within {PATIENCE_S:g} s')
        if index % 2:
            _await_half_a_file(folder, window_s)
        else:
            time.sleep(moments.uniform(0, window_s))
        process.kill()
        process.join()
        fault = _fault(path, segmenter, provenance.base_sha256)
        wrong += [fault] if fault else []
        left_over.append(len(list(folder.glob(PARTS))))
        tick(f'kill {index + 1} of {kills}')
    halfway = sum(left > 0 for left in left_over)
    return Killed(kills, halfway, max(left_over), tuple(wrong))


def marked(like: Head, provenance: Provenance, mark: int) -> Adapted:
    """Return a head of which every weight is ``mark``, as are the steps in its provenance."""
    head = copy.deepcopy(like)
    for value in head.state_dict().values():
        value.fill_(mark)
    return Adapted(head, dataclasses.replace(provenance, steps=mark))


def _save_in_turns(
    head: Head, provenance: Provenance, path: Path, begun: Connection,
) -> None:
    """Save two heads in turns until the process is killed."""
    torch.set_num_threads(1)
    heads = [marked(head, provenance, mark) for mark in MARKS]
    save(path, heads[0])  # the first takes longer than all others: a kill would miss the next
    begun.send(True)
    while True:
        for each in heads:
            save(path, each)


def _await_half_a_file(folder: Path, at_most_s: float) -> None:
    before, end_s = set(folder.glob(PARTS)), time.monotonic() + at_most_s
    while set(folder.glob(PARTS)) <= before and time.monotonic() < end_s:
        pass  # to sleep would be to miss it


def _fault(path: Path, segmenter: Segmenter, base_sha256: str) -> str:
    """Return what is wrong with the file at ``path``; '' where it is one of the two, whole."""
    try:
        loaded = load(path, segmenter, base_sha256)
    except CheckpointError as error:
        return str(error)
    mark = loaded.provenance.steps
    mixed = [name for name, value in loaded.head.state_dict().items() if (value != mark).any()]
    return f'steps {mark}, with other weights in {mixed}' if mixed or mark not in MARKS else ''
