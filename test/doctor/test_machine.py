from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from ditta_ros.doctor import machine
from ditta_ros.doctor.finding import State

FAST_DDS, CYCLONE = 'rmw_fastrtps_cpp', 'rmw_cyclonedds_cpp'
MEND = 'sudo sysctl -w net.core.rmem_max=4194304 net.core.wmem_max=4194304'


def test_this_machine() -> None:
    threads = len(os.sched_getaffinity(0))
    assert f'{threads} threads' in machine.processor().seen
    assert f'of {psutil.virtual_memory().total // 2**20} MB' in machine.memory().seen


def usage(monkeypatch: pytest.MonkeyPatch, total_mb: int, free_mb: int) -> None:
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(
        total_mb * 2**20, (total_mb - free_mb) * 2**20, free_mb * 2**20))


@pytest.mark.parametrize(('total_mb', 'free_mb', 'state'), [
    (64, 64, State.PROBLEM),  # what Docker gives
    (512, 127, State.PROBLEM),  # eaten up
    (256, 128, State.NOTE),
    (512, 512, State.OK),
])
def test_room_for_images(
        total_mb: int, free_mb: int, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    usage(monkeypatch, total_mb, free_mb)
    found = machine.shared_memory(marks=())
    assert found.state is state
    assert f'{free_mb} MB free of {total_mb} MB' in found.seen
    if state is not State.OK:
        assert found.remedy == 'sudo mount -o remount,size=512M /dev/shm'


def test_a_container_is_given_more_from_outside(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage(monkeypatch, 64, 64)
    mark = tmp_path / '.dockerenv'
    assert 'mount' in machine.shared_memory(marks=[mark]).remedy
    mark.touch()
    assert machine.shared_memory(marks=[mark]).remedy == 'docker run --shm-size 512m ...'


def test_no_shared_memory(tmp_path: Path) -> None:
    found = machine.shared_memory(tmp_path / 'shm', marks=())
    assert (found.state, found.remedy) == (
        State.PROBLEM, f'sudo mount -t tmpfs shm {tmp_path}/shm')


@pytest.mark.parametrize(('rmem', 'wmem', 'middleware', 'state'), [
    ('4194304\n', '4194304\n', FAST_DDS, State.OK),
    ('212992\n', '4194304\n', FAST_DDS, State.NOTE),
    ('4194304\n', '212992\n', FAST_DDS, State.NOTE),
    ('212992\n', '212992\n', CYCLONE, State.PROBLEM),
])
def test_udp_buffers(
        rmem: str, wmem: str, middleware: str, state: State, tmp_path: Path) -> None:
    (tmp_path / 'rmem_max').write_text(rmem)
    (tmp_path / 'wmem_max').write_text(wmem)
    found = machine.udp_buffers(middleware, tmp_path)
    assert found.state is state and rmem.strip() in found.seen
    assert found.remedy == ('' if state is State.OK else MEND)


def test_udp_buffers_that_cannot_be_read(tmp_path: Path) -> None:
    found = machine.udp_buffers(FAST_DDS, tmp_path)
    assert found.state is State.NOTE and 'rmem_max cannot be read' in found.seen
