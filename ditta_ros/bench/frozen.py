"""Labelling a frame after the adaptation against plain SegFormer, on the same weights.

In less precision and compiled as the node does it; what is not compiled there (attention, fusion,
decision) is not compiled here.  Plain SegFormer is run in the same way, and compiled whole.

Random weights make a worst case of the fusion: nearly every pixel is unreliable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ditta_ros.acceleration import Acceleration
from ditta_ros.bench.apart import Peak
from ditta_ros.bench.models import (
    DEFAULT_SIZE_PX,
    BenchModel,
    build,
    frames,
    sizes_px,
    title,
)
from ditta_ros.bench.options import DTYPES, Options
from ditta_ros.bench.row import Case, Row, Skipped, Tick
from ditta_ros.bench.timing import interleaved, time_row
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import SegmenterSettings, Settings

Arm = Callable[[], Tensor]

# Promised at 480x853, by the width of the decoder: 256 and 768 channels.
BARS = {'b0': '<= 1.3', 'b2': '<= 1.15', 'b5': '<= 1.15'}


@dataclass(frozen=True)
class Setup:
    """One model at one size in one precision."""

    model: str
    size_px: tuple[int, int]
    dtype: str
    compiled: str  # mode of segmenter.compile

    def __str__(self) -> str:
        height, width = self.size_px
        how = {'off': 'eager', 'default': 'compiled'}.get(self.compiled, 'CUDA graphs')
        return f'{title(self.model)} {height}x{width} {self.dtype} {how}'

    @property
    def bar(self) -> str:
        """Return what is promised for it."""
        return BARS.get(self.model.lower(), '') if self.size_px == DEFAULT_SIZE_PX else ''


def cases(options: Options) -> list[Case]:
    """Return one case for each model, size, precision and way of running."""
    return [
        Case(f'frozen {setup}', partial(measure, setup, options))
        for model in options.models
        for setup in (Setup(model, *rest) for rest in product(
            sizes_px(model, options), options.dtypes, options.compiled))]


def measure(setup: Setup, options: Options, tick: Tick) -> list[Row]:
    """Return the times of both labellers over plain SegFormer's, and how far labels agree."""
    tick('building')
    acceleration = accelerated(setup, options.device)
    arms = make_arms(build(setup.model, options), setup, options.device, acceleration)
    with torch.no_grad(), acceleration.starting(setup.size_px):
        agreement = float((arms['plain']() == arms['iss']()).float().mean())
        times = interleaved(arms, options.device, options.pace(setup.compiled), tick)
        peaks = _peaks(arms, options.device)
    if acceleration.failed:
        raise Skipped(f'segmenter.compile {setup.compiled} failed, see the error above')
    fields: dict[str, Any] = {'setting': str(setup), 'against': 'plain SegFormer'}
    rows = [
        time_row(times, 'iss', 'plain', name='ISS with reliability', **fields),
        time_row(times, 'adapted', 'plain', name='ISS + add-on + fusion', bar=setup.bar, **fields),
        Row(name='pixels that ISS labels alike', ours=100 * agreement, unit='%', **fields),
    ]
    if peaks:
        rows.append(Row(
            name='ISS + add-on + fusion, peak memory', ours=peaks['adapted'],
            theirs=peaks['plain'], unit='MB', **fields))
    return rows


def accelerated(setup: Setup, device: torch.device) -> Acceleration:
    """Return what runs the networks as the node does with the settings of ``setup``."""
    torch.compiler.reset()  # else the limit of compilations of a function is soon reached
    height, width = setup.size_px
    dtype = str(DTYPES[setup.dtype]).removeprefix('torch.')
    return Acceleration(SegmenterSettings(
        dtype=dtype, compile=setup.compiled, compile_height_px=height,
        compile_width_px=width), device)


def make_arms(
    model: BenchModel, setup: Setup, device: torch.device, acceleration: Acceleration,
) -> dict[str, Arm]:
    """Return the three ways of labelling the next of two images, uint8 [H, W]."""
    segmenter, tau = model.segmenter, Settings().tau
    run = partial(acceleration.run, setup.size_px)

    def labels(labeller: IssLabeller | TemporalLabeller) -> Callable[[Tensor], Tensor]:
        def label(rgb: Tensor) -> Tensor:
            features = run(Segmenter.encode, segmenter, rgb)
            return labeller.label(features, setup.size_px, tau, run)[0]
        return label

    ways = {
        'plain': lambda rgb: run(BenchModel.plain, model, rgb),
        'iss': labels(IssLabeller(segmenter.head)),
        'adapted': labels(TemporalLabeller(segmenter.head)),
    }
    rgb = next(frames(setup.size_px, device))
    for install in (model.plain, segmenter.encode):  # transformers' hooks, which do not compile
        install(rgb)
    return {name: _over_frames(way, setup.size_px, device) for name, way in ways.items()}


def _over_frames(
    way: Callable[[Tensor], Tensor], size_px: tuple[int, int], device: torch.device,
) -> Arm:
    images = frames(size_px, device)
    return lambda: way(next(images))


def _peaks(arms: dict[str, Arm], device: torch.device) -> dict[str, float]:
    """Return the peak memory of each arm in MB, on a GPU; a process's heap hides it."""
    if device.type != 'cuda':
        return {}
    found = {}
    for name, arm in arms.items():
        peak = Peak(device)
        arm()
        found[name] = peak.mb()
    return found
