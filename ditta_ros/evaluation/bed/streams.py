"""Which streams the bed is made of: named beforehand, one half to choose on, one to report on.

What was changed after the report's cells had been looked at is confirmed on worlds that no one has
looked at yet: the colours' share on ``confirm2``, what came before it on ``confirm``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHOOSE, REPORT, CONFIRM, CONFIRM_2 = 'choose', 'report', 'confirm', 'confirm2'
WORLD, CROPS = 'world', 'crops'
SEEDS = {CHOOSE: tuple(range(600, 608)), REPORT: tuple(range(700, 708)),
         CONFIRM: tuple(range(900, 908)), CONFIRM_2: tuple(range(1000, 1008))}
CLEAN = 'clean'
SHIFTS = (CLEAN, 'fog:0.5', 'noise:0.5', 'low_light:0.5', 'colour_cast:0.5', 'blur:0.5',
          'patchy_light:0.5')
WARM_UPS_PERCENT = (10.0, 25.0)
FRAMES = 90
# Every second one of the 34 stills in a row that the models' training seems to have left out:
# these are on both sides of the run that the models' figures are of, and 566 of 600 were used.
STILLS = {
    CHOOSE: tuple(f'0016E5_{number:05}' for number in range(7440, 7861, 60)),
    REPORT: tuple(f'0016E5_{number:05}' for number in range(8190, 8611, 60))}
STILLS_NOTE = (
    'crops: stills of one drive (0016E5), without parallax, fog by depths made up from the row; '
    'that the SegFormer was not trained on them is inferred (34 in a row around the run it is '
    'tested on), not stated')


@dataclass(frozen=True)
class Stream:
    """One stream of ``bed`` 'world' or 'crops': a seed or a still, under a shift."""

    bed: str
    name: str
    shift: str
    frames: int
    spec: str  # for ``sources.open_source``


def world_streams(half: str, shifts: Sequence[str], count: int, frames: int) -> list[Stream]:
    """Return the streams of the first ``count`` seeds of a half, of the demo world."""
    return [
        Stream(WORLD, str(seed), shift, frames, f'world:seed={seed},shift={shift},frames={frames}')
        for seed in SEEDS[half][:count] for shift in shifts]


def crop_streams(
    half: str, shifts: Sequence[str], count: int, frames: int, data: Path,
) -> list[Stream]:
    """Return the streams of the first ``count`` stills of a half, in ``data/camvid_1hz``."""
    return [
        Stream(CROPS, still, shift, frames, (
            f'crops:folder={data / "camvid_1hz"},still={still},seed={seed},shift={shift},'
            f'frames={frames},ignore=11'))
        for seed, still in list(zip(SEEDS[half], STILLS[half], strict=True))[:count]
        for shift in shifts]


def crop_models(data: Path) -> Mapping[str, Any]:
    """Return the parameters that name the models of the crops, in ``data/models``."""
    models = data / 'models'
    return {
        'segmenter.model': str(models / 'segformer_camvid'),
        'tracker.config': str(models / 'tiny_sam2_real.yaml'),
        'tracker.checkpoint': str(models / 'tiny_sam2_real.pt')}
