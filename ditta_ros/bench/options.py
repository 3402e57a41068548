"""What the command line asks the bench for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ditta_ros.bench.timing import Pace
from ditta_ros.frame import SMALLEST_SIDE_PX

FAMILIES = ('attention', 'frozen', 'warm_up', 'tracker', 'node', 'soak')
BY_DEFAULT = 'attention,frozen,warm_up,tracker,node'
DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16, 'fp16': torch.float16}
MODES = ('default', 'reduce-overhead')  # of compiling, as segmenter.compile has them
EMBEDDED = 'embedded'


class OptionError(ValueError):
    """An option breaks its rule; the message names it, the rule and what came."""


@dataclass(frozen=True)
class Options:
    """What to measure, on what, and for how long."""

    rows: tuple[str, ...] = tuple(BY_DEFAULT.split(','))
    models: tuple[str, ...] = ('b0', 'b2', 'b5', EMBEDDED)
    sizes: tuple[tuple[int, int], ...] = ()  # (H, W) in px; none: each model's own default
    classes: int = 124
    device: torch.device = torch.device('cpu')  # noqa: RUF009 - never changes
    dtypes: tuple[str, ...] = ('fp32',)
    compiled: tuple[str, ...] = ('off',)  # modes of segmenter.compile
    repeats: int = 5
    budget_s: float = 30.0
    tracker_config: str = ''
    tracker_checkpoint: str = ''
    soak_frames: int = 5000

    def pace(self, compiled: str = 'off') -> Pace:
        """Return how long each comparison may take."""
        slow_start = compiled != 'off' or self.device.type == 'cuda'
        return Pace(self.repeats, self.budget_s, warm_ups=3 if slow_start else 1)


def precision(dtype: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which networks compute in ``dtype``; weights stay float32."""
    return nullcontext() if dtype == 'fp32' else torch.autocast(device.type, DTYPES[dtype])


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made = argparse.ArgumentParser(
        prog='bench', description='Measures the engine beside the plain ways of doing the same, '
        'on this machine; random weights do for that.')
    add = made.add_argument
    add('--rows', default=BY_DEFAULT, help=f'of {",".join(FAMILIES)}; default: all but soak')
    add('--models', default=f'b0,b2,b5,{EMBEDDED}',
        help="SegFormers: b0 to b5 (random weights), directories of transformers, 'embedded' or "
        "''; default: %(default)s")
    add('--sizes', default='',
        help='of the image, HEIGHTxWIDTH,...; default: 480x853, and 192x256 for the embedded one')
    add('--classes', type=int, default=124, help='of b0 to b5; default: %(default)s')
    add('--device', choices=('auto', 'cpu', 'cuda'), default='auto',
        help='auto: the first GPU, else the CPU')
    add('--dtype', default='fp32',
        help=f'{",".join(DTYPES)} of attention, frozen and tracker (by autocast); default: '
             '%(default)s')
    add('--compile', nargs='?', const='default', metavar='MODE,...',
        help=f'frozen: compiled by torch, too, in {" or ".join(MODES)}; without a value: '
             '%(const)s')
    add('--repeats', type=int, default=5, help='rounds of a comparison; default: %(default)s')
    add('--budget', type=float, default=30.0, metavar='S',
        help='seconds after which a comparison begins no further round; default: %(default)s')
    add('--tracker-config', default='',
        help="SAM 2 yamls: files, or names of the sam2 package's, such as "
        'sam2.1_hiera_t.yaml,sam2.1_hiera_l.yaml; default: the embedded model')
    add('--tracker-checkpoint', default='',
        help='weights for the one --tracker-config; default: random ones')
    add('--soak-frames', type=int, default=5000, help='length of soak; default: %(default)s')
    add('--json', type=Path, metavar='FILE', help='where to write the rows')
    add('--save', action='store_true',
        help='write rows and table to test/bench/results (in a source tree)')
    return made


def read(given: argparse.Namespace) -> Options:
    """Check the options; raises OptionError."""
    rows = _chosen('--rows', given.rows, FAMILIES)
    if given.tracker_checkpoint and not given.tracker_config:
        raise OptionError(
            f'--tracker-checkpoint needs --tracker-config, got {given.tracker_checkpoint!r} '
            'alone: name the yaml that it fits')
    if given.tracker_checkpoint and ',' in given.tracker_config:
        raise OptionError(
            '--tracker-checkpoint fits one --tracker-config, got '
            f'{given.tracker_config!r}: measure them one by one')
    modes = _chosen('--compile', given.compile, MODES) if given.compile else ()
    return Options(
        rows=rows, models=tuple(item.strip() or EMBEDDED for item in given.models.split(',')),
        sizes=tuple(_size(item) for item in given.sizes.split(',') if item),
        classes=_within('--classes', given.classes, 2, 255), device=_device(given.device),
        dtypes=_chosen('--dtype', given.dtype, tuple(DTYPES)),
        compiled=('off', *modes),
        repeats=_within('--repeats', given.repeats, 1, 1000), budget_s=given.budget,
        tracker_config=given.tracker_config, tracker_checkpoint=given.tracker_checkpoint,
        soak_frames=_within('--soak-frames', given.soak_frames, 10, 10 ** 7))


def _chosen(option: str, given: str, known: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(item.strip() for item in given.split(','))
    for item in chosen:
        if item not in known:
            raise OptionError(f'{option} must be of {", ".join(known)}, got {item!r}')
    return chosen


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split('x')
    if len(sides) != 2 or not all(side.strip().isdecimal() for side in sides):
        raise OptionError(f'--sizes must be HEIGHTxWIDTH such as 480x853, got {text!r}')
    height, width = (int(side) for side in sides)
    if min(height, width) < SMALLEST_SIDE_PX:
        raise OptionError(f'--sizes must be at least {SMALLEST_SIDE_PX} px a side, got {text!r}')
    return height, width


def _within(option: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise OptionError(f'{option} must be {low} to {high}, got {value}')
    return value


def _device(name: str) -> torch.device:
    there = torch.cuda.is_available()
    if name == 'cuda' and not there:
        raise OptionError('--device cuda needs a GPU that torch can use, got none: take cpu')
    return torch.device('cuda' if there and name != 'cpu' else 'cpu')
