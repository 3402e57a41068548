"""Settings of DiTTA against each other, on the same streams of the demo world.

``python -m ditta_ros.evaluation.variants --seeds 8 --json FILE``

Answers the questions of design that the paper leaves to a measurement: learning rate, passes,
batch norm, the form of the distillation loss, when to learn.  The streams are paired: each is
rendered, encoded and tracked once, and every variant adapts to it and labels the rest.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ditta_ros.device import choose_device
from ditta_ros.errors import ModelError
from ditta_ros.evaluation.bed.branching import BranchingTracker
from ditta_ros.evaluation.bed.encoding import EncodingOnce
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.evaluation.processes import run_with_bar
from ditta_ros.evaluation.scores import Scores
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.sources import world_source
from ditta_ros.evaluation.streams import plain_json, score, stream_parser
from ditta_ros.profiles import PAPER
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import SettingError, Settings, TrackerSettings, from_flat
from ditta_ros.tracker import Sam2Tracker
from ditta_ros.warm_up import length_frames

FIRST_SEED = 200  # far from the demo's own streams, which are for reporting
SHIFTS = ('clean', 'noise:0.5', 'fog:0.5', 'low_light:0.5', 'colour_cast:0.5', 'blur:0.5',
          'patchy_light:0.5')
# Each differs from the defaults in what its name says.
VARIANTS: dict[str, tuple[str, ...]] = {
    'defaults': (),
    'rate 1e-3': ('adaptation.learning_rate=1e-3',),
    'rate 5e-5': ('adaptation.learning_rate=5e-5',),
    'rate 2e-5': ('adaptation.learning_rate=2e-5',),
    '1 pass': ('adaptation.passes=1',),
    'batch norm train': ('adaptation.batch_norm=train',),
    'loss on probabilities': ('adaptation.distill_on=probabilities',),
    'while warming up': ('adaptation.when=while_warming_up',),
    'paper': tuple(f'{name}={value}' for name, value in PAPER.items()),
}


@dataclass(frozen=True)
class Job:
    """One stream, and the parameters of every variant by its name."""

    shift: str
    seed: int
    frames: int
    variants: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """The scores of the plain model and of every variant on one stream, after the warm-up."""

    shift: str
    seed: int
    iss: Scores
    adapted: dict[str, Scores]


def run(job: Job) -> Outcome:
    """Adapt to one stream with every variant; raises SourceError, SettingError, ModelError."""
    source = world_source(f'world:seed={job.seed},shift={job.shift},frames={job.frames}')
    settings = {name: from_flat({**values, 'warm_up.stream_length_frames': job.frames})
                for name, values in job.variants.items()}
    first = next(iter(settings.values()))
    for name, each in settings.items():
        if _shared(each) != _shared(first):
            raise SettingError(
                'variants share segmenter.*, warm_up.* and adaptation.seed, as the stream is '
                f'encoded once, got others in {name!r}: give them to all with --set')
    warm_up_frames = length_frames(first.warm_up) or 0
    device = choose_device(first.segmenter.device)
    segmenter = EncodingOnce.around(
        Segmenter.open(first.segmenter, device, first.adaptation.seed))
    plain = dataclasses.replace(
        first, warm_up=dataclasses.replace(first.warm_up, unit='frames', amount=0.0))
    iss = score(Session(plain, segmenter, None), source, warm_up_frames)
    adapted = {}
    trackers: dict[TrackerSettings, BranchingTracker] = {}
    for name, each in settings.items():
        if each.tracker not in trackers:
            trackers[each.tracker] = BranchingTracker(Sam2Tracker.load(each.tracker, device))
        adapted[name] = score(
            Session(each, segmenter, trackers[each.tracker]), source, warm_up_frames)
    return Outcome(job.shift, job.seed, iss, adapted)


def _shared(settings: Settings) -> tuple[Any, ...]:
    return settings.segmenter, settings.warm_up, settings.adaptation.seed


def change(outcomes: Iterable[Outcome], variant: str, metric: str) -> np.ndarray:
    """Return adapted minus ISS of a metric of Scores, one value per stream, in 0..1."""
    return np.array([
        getattr(outcome.adapted[variant], metric) - getattr(outcome.iss, metric)
        for outcome in outcomes])


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the mean change of mIoU and mVC8 against the plain model, by variant and shift."""
    shifts = list(dict.fromkeys(outcome.shift for outcome in outcomes))
    by_shift = {shift: [each for each in outcomes if each.shift == shift] for shift in shifts}
    out = Table(
        title=f'adapted minus ISS, mIoU / mVC8 in points, means of '
              f'{len(outcomes) // len(shifts)} streams', title_justify='left')
    out.add_column('')
    for name in (*shifts, 'all', 'better mIoU'):
        out.add_column(name, justify='right')
    for variant in outcomes[0].adapted:
        cells = [_pair(each, variant) for each in (*by_shift.values(), outcomes)]
        better = int((change(outcomes, variant, 'miou') > 0).sum())
        out.add_row(variant, *cells, f'{better} of {len(outcomes)}')
    return out


def _pair(outcomes: Sequence[Outcome], variant: str) -> str:
    miou, mvc8 = (100 * change(outcomes, variant, metric).mean() for metric in ('miou', 'mvc8'))
    return f'{miou:+.1f} / {mvc8:+.1f}'


def as_json(jobs: Sequence[Job], outcomes: Sequence[Outcome]) -> str:
    """Return the variants' parameters and every score of every stream."""
    return json.dumps({
        'variants': {name: dict(values) for name, values in jobs[0].variants.items()},
        'streams': [plain_json(dataclasses.asdict(outcome)) for outcome in outcomes],
    }, indent=1, allow_nan=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every variant on every stream; 2 for input that does not work."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        jobs = _jobs(options)
        outcomes = run_with_bar(run, jobs, options.processes, console)
    except (ModelError, SettingError, SourceError) as error:
        console.print(str(error), style='red', markup=False, highlight=False)
        return 2
    console.print(table(outcomes))
    if options.json is not None:
        options.json.write_text(as_json(jobs, outcomes))
        console.print(f'numbers  {options.json}', highlight=False)
    return 0


def _jobs(options: argparse.Namespace) -> list[Job]:
    chosen = dict(VARIANTS)
    if options.variant:
        chosen = {name.strip(): tuple(items.split()) for name, _, items in (
            text.partition(':') for text in options.variant)}
    common = {'warm_up.unit': 'percent', 'warm_up.amount': options.warm_up,
              **parse_overrides(options.overrides)}
    variants = {name: {**common, **parse_overrides(items)} for name, items in chosen.items()}
    return [
        Job(shift, options.first_seed + offset, options.frames, variants)
        for shift in options.shift or SHIFTS for offset in range(options.seeds)]


def _parser() -> argparse.ArgumentParser:
    parser = stream_parser(
        'python -m ditta_ros.evaluation.variants',
        'Compares settings of DiTTA over streams of the demo world.', SHIFTS, FIRST_SEED)
    parser.add_argument(
        '--variant', action='append', metavar='"NAME: KEY=VALUE ..."',
        help='parameters, as in config/ditta.yaml; may be repeated (default: the questions of '
             f'design: {"; ".join(VARIANTS)})')
    return parser


if __name__ == '__main__':
    sys.exit(main())
