"""Processes that write files of adapted heads: killed, out of room, or one beside another."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest
import torch

from checkpoint_workers import DIM, marked, save_for_ever, save_on_a_full_disk
from ditta_ros.checkpoint import Adapted, load, save
from ditta_ros.lessons import Progress
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings
from random_models import save_random_segformer

PATIENCE_S = 120.0
KILLS = 10

# Each process is forked from one that has imported torch and computed nothing.
children = multiprocessing.get_context('forkserver')
children.set_forkserver_preload(['ditta_ros.checkpoint'])


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path_factory.mktemp('segformer'))))


@pytest.fixture(scope='module')
def base_sha256(segmenter: Segmenter) -> str:
    return base_hash(segmenter)


@pytest.fixture(scope='module')
def provenance(segmenter: Segmenter, base_sha256: str) -> Provenance:
    return Provenance.of(base_sha256, segmenter.label_set.names, Settings(), Progress(steps=3))


def test_a_full_disk_leaves_the_older_file(
    segmenter: Segmenter, base_sha256: str, provenance: Provenance, tmp_path: Path,
) -> None:
    saved = tmp_path / 'head.safetensors'
    save(saved, Adapted(segmenter.head, provenance))
    ours, theirs = children.Pipe(duplex=False)
    process = children.Process(
        target=save_on_a_full_disk, args=(saved, provenance, 100_000, theirs))
    process.start()
    assert ours.poll(PATIENCE_S)
    message = ours.recv()
    process.join(PATIENCE_S)
    why = f'cannot be written ([Errno {errno.EFBIG}]'
    assert message.startswith(f'checkpoint.path {str(saved)!r} {why}')
    assert 'may be written to and has 3.0 MB left' in message
    assert torch.equal(load(saved, segmenter, base_sha256).head.fuse.weight,
                       segmenter.head.fuse.weight)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_process_that_is_killed_leaves_a_whole_file(
    segmenter: Segmenter, base_sha256: str, provenance: Provenance, tmp_path: Path,
) -> None:
    large = dataclasses.replace(segmenter, head=marked(provenance, 0).head)
    assert large.head.classifier.weight.shape[1] == DIM
    path = tmp_path / 'head.safetensors'
    moments = random.Random(0)
    for _ in range(KILLS):
        path.unlink(missing_ok=True)
        process = children.Process(target=save_for_ever, args=(path, provenance))
        process.start()
        end_s = time.monotonic() + PATIENCE_S
        while not path.exists():
            assert process.is_alive() and time.monotonic() < end_s, 'nothing was saved'
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        loaded = load(path, large, base_sha256)
        assert loaded.provenance.steps in (1, 2)
        for name, value in loaded.head.state_dict().items():
            assert (value == loaded.provenance.steps).all(), name
    names = {item.name for item in tmp_path.iterdir()} - {path.name}
    assert all(name.startswith(f'.{path.name}.') and name.endswith('.part') for name in names)


def test_what_killed_processes_left_is_removed_and_what_is_being_written_is_not(
    provenance: Provenance, tmp_path: Path,
) -> None:
    path, adapted = tmp_path / 'head.safetensors', marked(provenance, 1)
    abandoned, held, others = (
        tmp_path / name for name in (
            '.head.safetensors.0123abcd.part', '.head.safetensors.4567abcd.part',
            '.other.safetensors.0123abcd.part'))
    for part in (abandoned, held, others):
        part.write_bytes(b'half')
    os.mkfifo(tmp_path / '.head.safetensors.89abcdef.part')  # to open it would wait for ever
    with held.open('rb') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        save(path, adapted)
        assert not abandoned.exists()
        assert held.exists()
    save(path, adapted)
    assert not held.exists()
    assert others.exists()
