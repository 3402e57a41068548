"""The training pool: short clips of many worlds, rendered once into memory-mapped arrays."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ditta_ros.demo.world import World

FRAMES_PER_CLIP = 6
# Seconds between the frames of a clip: slow and fast worlds, so that a memory may be long ago.
INTERVALS_S = (0.06, 0.1, 0.15, 0.22, 0.35)
# Worlds from this seed on are never trained on; the demo and every measurement use lower ones.
FIRST_SEED = 100_000
SIZE_PX = (192, 256)
_KINDS = {'rgb': np.uint8, 'semantic': np.uint8, 'instance': np.uint8, 'depth_m': np.float16,
          'reliability': np.uint8}


@dataclass(frozen=True)
class Pool:
    """Clips as arrays [clip, frame, H, W(, 3)]; depth in metres, reliability 0..255.

    ``reliability`` is where the embedded SegFormer names the true class, and how surely; it is
    zero until :mod:`~ditta_ros.demo.train.segmenter` has filled it.
    """

    rgb: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray
    depth_m: np.ndarray
    reliability: np.ndarray

    def __len__(self) -> int:
        return len(self.rgb)


def open_pool(folder: Path, mode: str = 'r') -> Pool:
    """Map the arrays that :func:`render` wrote into ``folder``."""
    return Pool(**{name: np.load(folder / f'{name}.npy', mmap_mode=mode)  # type: ignore[arg-type]
                   for name in _KINDS})


def render(folder: Path, clips: int, processes: int, progress: Callable[[int], None]) -> Pool:
    """Render ``clips`` worlds with their truth into ``folder`` and call ``progress(done)``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, dtype in _KINDS.items():
        shape: tuple[int, ...] = (clips, FRAMES_PER_CLIP, *SIZE_PX)
        shape = (*shape, 3) if name == 'rgb' else shape
        np.lib.format.open_memmap(folder / f'{name}.npy', 'w+', dtype=dtype, shape=shape).flush()
    jobs = [(folder, index) for index in range(clips)]
    with multiprocessing.get_context('spawn').Pool(processes) as workers:
        for done, _ in enumerate(workers.imap_unordered(_render_clip, jobs, chunksize=16), 1):
            progress(done)
    return open_pool(folder)


def _render_clip(job: tuple[Path, int]) -> None:
    folder, index = job
    pool = open_pool(folder, 'r+')
    rng = np.random.default_rng((FIRST_SEED, index))
    world = World(FIRST_SEED + index, SIZE_PX)
    start_s, interval_s = rng.uniform(0, 9), rng.choice(INTERVALS_S)
    for position in range(FRAMES_PER_CLIP):
        frame = world.frame(start_s + position * interval_s)
        pool.rgb[index, position] = frame.rgb
        pool.semantic[index, position] = frame.semantic
        pool.instance[index, position] = frame.instance
        pool.depth_m[index, position] = frame.depth_m
