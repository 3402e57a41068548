"""What the command line asks the soak for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from ditta_ros.soak.slope import LEAST_SAMPLES
from ditta_ros.soak.streams import ROUND

# Twice, as a slope is that of a series' second half.
LEAST = {'frames': 2 * LEAST_SAMPLES, 'warm_ups': 2 * LEAST_SAMPLES * ROUND}


class OptionError(ValueError):
    """An option breaks its rule; the message names it, the rule and what came."""


@dataclass(frozen=True)
class Options:
    """How much of each part; 0 leaves a part out."""

    frames: int = 30_000
    warm_ups: int = 500
    inputs: int = 100_000  # over all readers
    kills: int = 1000
    faults: bool = True
    seed: int = 0
    out: Path = Path('soak_out')


QUICK = Options(frames=200, warm_ups=80, inputs=1400, kills=20)
"""Of every part so little that it takes minutes: shows that it walks, and proves nothing."""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    made, full = argparse.ArgumentParser(
        prog='soak', description='Runs the engine for hours over streams that do not end, hostile '
        'inputs, kills and faults; one table says what came of it.'), Options()
    add = made.add_argument
    for name, about in (
            ('frames', 'labelled by a frozen model'), ('warm_ups', 'learnt from'),
            ('inputs', 'that may be broken, over all readers'),
            ('kills', 'of processes that save')):
        add(f'--{name.replace("_", "-")}', type=int, metavar='N',
            help=f'{about}; 0: none; default: {getattr(full, name)}, with --quick '
            f'{getattr(QUICK, name)}')
    add('--no-faults', action='store_true', help='leave out the faults over DDS')
    add('--seed', type=int, default=full.seed, help='of inputs and kills; default: %(default)s')
    add('--out', type=Path, default=full.out, metavar='DIR',
        help='where the plot and the JSON go; default: %(default)s')
    add('--quick', action='store_true', help='minutes instead of hours')
    return made


def read(given: argparse.Namespace) -> Options:
    """Check the options; raises OptionError."""
    begin = QUICK if given.quick else Options()
    named = {name: value for name in ('frames', 'warm_ups', 'inputs', 'kills')
             if (value := getattr(given, name)) is not None}
    options = replace(
        begin, **named, faults=not given.no_faults, seed=given.seed, out=given.out)
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value != 0 and value < least:
            raise OptionError(
                f'--{name.replace("_", "-")} must be 0 or >= {least}, of which a slope can be '
                f'told, got {value}')
    for name in ('inputs', 'kills'):
        if getattr(options, name) < 0:
            raise OptionError(f'--{name} must be >= 0, got {getattr(options, name)}')
    return options
