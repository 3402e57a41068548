"""The plain model (ISS) against DiTTA over fixed streams of the demo world.

``python -m ditta_ros.evaluation.streams --shift noise:0.7 --shift clean --seeds 8 --warm-up 25``

Every frame is seen once and the adaptation is given all the time that it wants; scored are the
frames after the warm-up.  Means are over streams.  No model was trained on these seeds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ditta_ros.demo.world import NAMES
from ditta_ros.errors import ModelError
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.evaluation.processes import run_with_bar
from ditta_ros.evaluation.scores import Scorer, Scores
from ditta_ros.evaluation.source import Source, SourceError
from ditta_ros.evaluation.sources import world_source
from ditta_ros.frame import Frame
from ditta_ros.opening import open_session
from ditta_ros.session import Session
from ditta_ros.settings import SettingError, from_flat
from ditta_ros.warm_up import length_frames

FIRST_SEED = 21  # the demo's own, then those after it
SHIFTS = ('noise:0.7', 'clean')


@dataclass(frozen=True)
class Job:
    """One stream to compare on: a world's shift and seed, and the parameters of DiTTA."""

    shift: str
    seed: int
    frames: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What both models reached on one stream after the warm-up."""

    shift: str
    seed: int
    iss: Scores
    adapted: Scores
    objects: int
    seconds: float


def compare(job: Job) -> Result:
    """Run both models over the stream of ``job``; raises SourceError, SettingError, ModelError."""
    started_s = time.monotonic()
    values = {**job.values, 'warm_up.stream_length_frames': job.frames}
    source = world_source(f'world:seed={job.seed},shift={job.shift},frames={job.frames}')
    settings = from_flat(values)
    warm_up_frames = length_frames(settings.warm_up) or 0
    adapting = open_session(settings)
    plain = open_session(from_flat({**values, 'warm_up.unit': 'frames', 'warm_up.amount': 0.0}))
    adapted = score(adapting, source, warm_up_frames)
    iss = score(plain, source, warm_up_frames)
    return Result(
        job.shift, job.seed, iss, adapted, adapting.status()['objects'],
        time.monotonic() - started_s)


def score(session: Session, source: Source, warm_up_frames: int) -> Scores:
    """Feed ``source`` to ``session``, do all work that it has, and score what follows."""
    scorer = Scorer(len(session.label_set))
    for index, frame in enumerate(source):
        out = session.feed(
            Frame.from_array(frame.rgb, frame.stamp_ns, frame.frame_id, session.device))
        if index >= warm_up_frames:
            scorer.add(out.label.cpu().numpy(), frame.label, out.reliability.cpu().numpy())
        while session.work():
            pass
    return scorer.scores()


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return the means over ``results``, by metric: iss, adapted, change and streams improved."""
    out: dict[str, Any] = {'streams': len(results)}
    for metric in ('miou', 'mvc8', 'wiou'):
        out[metric] = _means([getattr(result.iss, metric) for result in results],
                             [getattr(result.adapted, metric) for result in results])
    out['class_iou'] = {}
    for index, name in enumerate(NAMES):
        pairs = [(result.iss.class_iou[index], result.adapted.class_iou[index])
                 for result in results if not np.isnan(result.iss.class_iou[index])]
        if pairs:
            before, after = zip(*pairs, strict=True)
            out['class_iou'][name] = _means(before, after)
    return out


def _means(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    change = np.subtract(after, before)
    return {
        'iss': float(np.mean(before)), 'adapted': float(np.mean(after)),
        'change': float(change.mean()), 'improved': int((change > 0).sum()),
        'streams': len(change)}


def table(shift: str, results: Sequence[Result]) -> Table:
    """Return one shift's means, classes included."""
    out = Table(
        title=f'{shift}: mean of {len(results)} streams, after the warm-up',
        title_justify='left')
    out.add_column('')
    for name in ('ISS', 'adapted', 'change', 'improved'):
        out.add_column(name, justify='right')
    means = summary(results)
    for name, metric in (('mIoU', 'miou'), ('mVC8', 'mvc8'), ('wIoU', 'wiou')):
        out.add_row(name, *_cells(means[metric]))
    out.add_section()
    for name, row in means['class_iou'].items():
        out.add_row(f'IoU {name}', *_cells(row))
    return out


def _cells(row: dict[str, float]) -> Iterator[str]:
    yield f'{100 * row["iss"]:.1f} %'
    yield f'{100 * row["adapted"]:.1f} %'
    yield f'{100 * row["change"]:+.1f}'
    yield f'{row["improved"]} of {row["streams"]}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 2 for input that does not work."""
    options = _parser().parse_args(arguments)
    console = Console()
    shifts = options.shift or SHIFTS
    try:
        values = {'warm_up.unit': 'percent', 'warm_up.amount': options.warm_up,
                  **parse_overrides(options.overrides)}
        jobs = [
            Job(shift, options.first_seed + offset, options.frames, values)
            for shift in shifts for offset in range(options.seeds)]
        results = run_with_bar(compare, jobs, options.processes, console)
    except (ModelError, SettingError, SourceError) as error:
        console.print(str(error), style='red', markup=False, highlight=False)
        return 2
    for shift in shifts:
        console.print(table(shift, [result for result in results if result.shift == shift]))
    if options.json is not None:
        options.json.write_text(as_json(shifts, values, results))
        console.print(f'numbers  {options.json}', highlight=False)
    return 0


def as_json(shifts: Sequence[str], values: dict[str, Any], results: Sequence[Result]) -> str:
    """Return everything as JSON: means by shift, each stream, and the parameters given."""
    return json.dumps({
        'parameters': values,
        'shifts': {shift: summary([result for result in results if result.shift == shift])
                   for shift in shifts},
        'streams': [plain_json(dataclasses.asdict(result)) for result in results],
    }, indent=1, allow_nan=False)


def plain_json(value: Any) -> Any:
    """Return ``value`` as JSON can hold it: what could not be measured is null."""
    if isinstance(value, dict):
        return {key: plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def stream_parser(
    prog: str, about: str, shifts: Sequence[str], first_seed: int,
) -> argparse.ArgumentParser:
    """Return a command's options on which streams of the demo world it runs."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument(
        '--shift', action='append', metavar='KIND:STRENGTH',
        help='clean, or for example noise:0.5; may be repeated '
             f'(default: {" ".join(shifts)})')
    parser.add_argument('--seeds', type=int, default=8, help='streams of each shift')
    parser.add_argument('--first-seed', type=int, default=first_seed)
    parser.add_argument('--frames', type=int, default=90, help='length of a stream')
    parser.add_argument('--warm-up', type=float, default=25.0, metavar='PERCENT')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE',
                        dest='overrides', help='a parameter, as in config/ditta.yaml')
    parser.add_argument('--processes', type=int, default=2, help='with one thread each')
    parser.add_argument('--json', type=Path, metavar='FILE', help='where the numbers go')
    return parser


def _parser() -> argparse.ArgumentParser:
    return stream_parser(
        'python -m ditta_ros.evaluation.streams',
        'Compares plain SegFormer (ISS) with DiTTA over streams of the demo world.',
        SHIFTS, FIRST_SEED)


if __name__ == '__main__':
    sys.exit(main())
