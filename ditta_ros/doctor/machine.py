"""Processor, memory, and what the kernel gives to DDS for images."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import psutil

from ditta_ros.doctor.finding import Finding, note, ok, problem

MB = 2 ** 20
# config/fastdds.xml: each process takes a segment of 64 MB, and asks for UDP buffers of 4 MB.
SEGMENT_MB, PROCESSES = 64, 2  # the camera's and the node's at least
SHM_ADVISED_MB = 512
UDP_BUFFER_BYTES = 4194304
SMALL_MEMORY_MB = 4096  # both networks of real size and a warm-up take more


def processor() -> Finding:
    """Count the cores."""
    cores, usable = psutil.cpu_count(logical=False), len(psutil.Process().cpu_affinity())
    seen = f'{cores or "?"} cores, {usable} threads for this process'
    return ok('processor', seen) if usable > 1 else note(
        'processor', f'{seen}: labels wait while ROS moves images')


def memory() -> Finding:
    """Look at the memory that is left."""
    found = psutil.virtual_memory()
    seen = f'{found.available // MB} MB free of {found.total // MB} MB'
    return ok('memory', seen) if found.available >= SMALL_MEMORY_MB * MB else note(
        'memory', f'{seen}: a warm-up may not fit, the node says what it takes before it begins',
        'set segmenter.max_side_px, or adaptation.features_dtype to float16')


def shared_memory(
    folder: Path = Path('/dev/shm'), marks: Iterable[Path] = (
        Path('/.dockerenv'), Path('/run/.containerenv')),
) -> Finding:
    """Look at the room for images between processes; ``marks`` are files of a container."""
    name, container = str(folder), any(mark.exists() for mark in marks)
    grow = (f'docker run --shm-size {SHM_ADVISED_MB}m ...' if container
            else f'sudo mount -o remount,size={SHM_ADVISED_MB}M {folder}')
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return problem(
            name, 'not there: images take the way over UDP',
            'docker run --ipc host ...' if container else f'sudo mount -t tmpfs shm {folder}')
    seen = f'{usage.free // MB} MB free of {usage.total // MB} MB'
    if usage.free < PROCESSES * SEGMENT_MB * MB:
        return problem(
            name, f'{seen}, and {PROCESSES} processes with config/fastdds.xml take '
            f'{PROCESSES * SEGMENT_MB} MB', grow)
    if usage.total < SHM_ADVISED_MB * MB:
        return note(name, f'{seen}: little for several cameras', grow)
    return ok(name, seen)


def udp_buffers(middleware: str, folder: Path = Path('/proc/sys/net/core')) -> Finding:
    """Look at the largest UDP buffers; ``middleware`` is the RMW implementation in use."""
    name, limits = 'UDP buffers', {}
    for limit in ('rmem_max', 'wmem_max'):
        try:
            limits[limit] = int((folder / limit).read_text())
        except (OSError, ValueError):
            return note(
                name, f'{folder / limit} cannot be read here, in a container perhaps: look at the '
                'host', f'sysctl net.core.{limit}')
    seen = ', '.join(f'net.core.{limit} {value}' for limit, value in limits.items())
    if min(limits.values()) >= UDP_BUFFER_BYTES:
        return ok(name, seen)
    remedy = 'sudo sysctl -w ' + ' '.join(
        f'net.core.{limit}={UDP_BUFFER_BYTES}' for limit in limits)
    if 'fastrtps' in middleware:
        # Processes of one machine use shared memory.
        return note(
            name, f'{seen}: images of a camera on another machine are lost below '
            f'{UDP_BUFFER_BYTES}', remedy)
    return problem(name, f'{seen}: images are lost below {UDP_BUFFER_BYTES}', remedy)
