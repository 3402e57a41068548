"""Time and peak memory of a function in a process of its own."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ditta_ros.bench.row import Row, Skipped, Tick
from ditta_ros.bench.timing import synchronise, time_row

SHORT_S = 1.0  # a function is called again until this has passed
MOST_CALLS = 20

Prepare = Callable[[Any, torch.device], Callable[[], Tensor]]
"""Makes the inputs of a case on a device, and returns what computes on them."""

T = TypeVar('T')


@dataclass(frozen=True, eq=False)
class Cost:
    """What one function took: median seconds, peak memory above its inputs, and its result."""

    seconds: float
    peak_mb: float
    output: np.ndarray  # float32


@dataclass(frozen=True)
class Pair:
    """The costs of our way and of the plain one, one of each per round."""

    ours: list[Cost]
    theirs: list[Cost]

    def time(self, **fields: Any) -> Row:
        """Return the row of their times."""
        times = {
            'ours': [each.seconds for each in self.ours],
            'theirs': [each.seconds for each in self.theirs]}
        return time_row(times, 'ours', 'theirs', **fields)

    def peak(self, **fields: Any) -> Row:
        """Return the row of their peak memories."""
        ours, theirs = (
            median(each.peak_mb for each in costs) for costs in (self.ours, self.theirs))
        return Row(ours=ours, theirs=theirs, unit='MB', **fields)

    def difference(self, **fields: Any) -> Row:
        """Return the row of the largest difference of their results."""
        largest = np.abs(self.ours[0].output - self.theirs[0].output).max()
        return Row(ours=float(largest), bar_on='ours', **fields)


def in_own_process(function: Callable[..., T], *arguments: object) -> T:
    """Call a module's function in a fresh process and return what it returns."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise Skipped('its process was killed, most likely for want of memory') from error
        except KeyboardInterrupt:
            for child in active_children():  # else the pool would wait for it
                child.terminate()
            raise


def compare(
    ours: Prepare, theirs: Prepare, case: object, small: object, device: torch.device,
    rounds: int, tick: Tick,
) -> Pair:
    """Measure two ways of computing ``case``, each in a fresh process, in turns."""
    pair = Pair([], [])
    for index in range(rounds):
        for name, way, costs in (('ours', ours, pair.ours), ('theirs', theirs, pair.theirs)):
            tick(f'round {index + 1} of {rounds}, {name}')
            costs.append(in_own_process(cost, way, case, small, str(device)))
    return pair


def cost(prepare: Prepare, case: object, small: object, device_name: str) -> Cost:
    """Measure ``case``; the ``small`` one before it loads libraries, and does not count."""
    device = torch.device(device_name)
    prepare(small, device)()
    call = prepare(case, device)
    if device.type == 'cuda':
        call()  # its libraries choose algorithms, and take workspaces, by size
    peak = Peak(device)
    first_s, output = _timed(call, device)
    peak_mb = peak.mb()
    kept = output.detach().float().cpu().numpy()
    seconds = [first_s]
    while sum(seconds) < SHORT_S and len(seconds) < MOST_CALLS:
        del output  # two results at once would be more than the function needs
        again_s, output = _timed(call, device)
        seconds.append(again_s)
    return Cost(median(seconds), peak_mb, kept)


class Peak:
    """Peak memory since it was made, above what was held then: of the GPU, or of the process.

    The process's is Linux's VmHWM, not getrusage's ru_maxrss: a spawned process inherits the
    latter from its parent, so that it says nothing of a child smaller than that.
    """

    def __init__(self, device: torch.device) -> None:
        gc.collect()
        self._device = device
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self._before_mb = torch.cuda.memory_allocated(device) / 1e6
            return
        with suppress(OSError):  # not everywhere; then the peak since the process began is taken
            Path('/proc/self/clear_refs').write_text('5')
        self._before_mb = _status_mb('VmRSS')

    def mb(self) -> float:
        """Return the peak so far, in MB (1e6 bytes)."""
        if self._device.type == 'cuda':
            torch.cuda.synchronize(self._device)
            return torch.cuda.max_memory_allocated(self._device) / 1e6 - self._before_mb
        return _status_mb('VmHWM') - self._before_mb


def _status_mb(key: str) -> float:
    """Read one entry, in kB of 1024 bytes, of what Linux knows of this process."""
    for line in Path('/proc/self/status').read_text().splitlines():
        name, _, value = line.partition(':')
        if name == key:
            return int(value.split()[0]) * 1024 / 1e6
    raise Skipped(f'memory cannot be measured: this system has no {key}')


def _timed(call: Callable[[], Tensor], device: torch.device) -> tuple[float, Tensor]:
    synchronise(device)
    began = time.perf_counter()
    output = call()
    synchronise(device)
    return time.perf_counter() - began, output
