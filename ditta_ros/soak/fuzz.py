"""Hostile inputs by the thousand, in a process of their own with little memory.

A reader that dies of one ends that process alone; one that believes a header meets the limit.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psutil
import torch

from ditta_ros.soak.hostile import READERS
from ditta_ros.soak.tick import Tick

ROOM_MB = 512.0  # beside what the process has: the largest image of a camera takes 192
TELL_EVERY = 100


@dataclass(frozen=True)
class Fuzzed:
    """What a reader did with its inputs; ``defects`` is what it must not do, and how often."""

    reader: str
    inputs: int
    read: int
    defects: dict[str, int]


def fuzz(reader: str, inputs: int, seed: int, tick: Tick) -> Fuzzed:
    """Give ``inputs`` to one of ``READERS``; equal seeds give equal inputs."""
    spawn = multiprocessing.get_context('spawn')
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_child, args=(reader, inputs, seed, theirs))
    process.start()
    theirs.close()
    last = Fuzzed(reader, 0, 0, {})
    with ours:
        while last.inputs < inputs:
            try:
                last = ours.recv()
            except EOFError:
                break
            tick(f'{reader}: {last.inputs} of {inputs} inputs')
    process.join()
    if process.exitcode:
        died = f'the process ended with {process.exitcode} after input {seed + last.inputs}'
        return Fuzzed(reader, last.inputs, last.read, last.defects | {died: 1})
    return last


@contextmanager
def little_memory(room_mb: float = ROOM_MB) -> Iterator[None]:
    """Let this process take so many MB more, and fail with MemoryError beyond that."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + int(room_mb * 1e6)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _child(reader: str, inputs: int, seed: int, answer: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    read = 0
    defects: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        feed = READERS[reader](Path(folder))
        with little_memory():
            for index in range(inputs):
                try:
                    read += feed(Random(seed + index))
                except Exception as error:  # noqa: BLE001 - the defects are what is looked for
                    place = _place(error)
                    defects[place] = defects.get(place, 0) + 1
                if (index + 1) % TELL_EVERY == 0 or index + 1 == inputs:
                    answer.send(Fuzzed(reader, index + 1, read, dict(defects)))


def _place(error: Exception) -> str:
    """Say which error it is and in which line it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f'{type(error).__name__} in {Path(last.filename).name}:{last.lineno}'
