"""The options of ``evaluate``, and what they plan."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ditta_ros.evaluation.baselines import METHODS
from ditta_ros.evaluation.engines import ENGINES, EngineOptions
from ditta_ros.evaluation.outcome import RUN_FILE, Run, read_run
from ditta_ros.evaluation.plan import checked_values, make_jobs, parse_ablation
from ditta_ros.evaluation.sources import expand_sources, open_source
from ditta_ros.evaluation.warm_up_length import WarmUpLength
from ditta_ros.settings import SettingError

DEFAULT_METHODS = 'iss,ditta'
DEFAULT_WARM_UP = '10%'
PROCESSES = 2


class OptionError(ValueError):
    """An option cannot be followed; the message names it, what came and the remedy."""


@dataclass(frozen=True)
class Plan:
    """A run, the folder of its outcomes, and how its jobs are spread.

    ``resume``: jobs whose outcome is in the folder are not done again; ``bags``: images, masks
    and overlays are written to bags, too.
    """

    run: Run
    folder: Path
    engine: EngineOptions
    resume: bool
    bags: bool


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog='evaluate', description='Runs methods over recordings and reports what each reached, '
        'at what cost: report.html, report.md and report.json in --out.')
    add = made.add_argument
    add('sources', metavar='SOURCE', nargs='*',
        help='video file, folder of images, bag, data set, or '
        'world:seed=7,shift=noise:0.5,frames=90')
    add('--methods', default=DEFAULT_METHODS, metavar='NAME,...',
        help=f'of {", ".join(METHODS)}; default: %(default)s')
    add('--warmup', default=DEFAULT_WARM_UP, metavar='LENGTH,...',
        help='how much of each source teaches: 10%%, 30 frames, 5 s, or full (learn from all, '
        'then label all again); several with commas; default: %(default)s')
    add('--seeds', default='0', metavar='N,...', help='of the adaptation; default: %(default)s')
    add('--live', type=float, metavar='RATE',
        help='frames come at RATE Hz and are dropped while a method is busy, on a clock that '
        'counts what the method takes; default: every frame is labelled, all adaptation is done')
    add('--segmenter', default='', metavar='DIR', help='SegFormer; default: the embedded model')
    add('--tracker', default='', metavar='YAML', help='SAM 2 model yaml; default: the embedded')
    add('--tracker-checkpoint', default='', metavar='FILE', help='SAM 2 weights for --tracker')
    add('--mapping', default='', metavar='FILE',
        help="yaml that merges the model's classes into the source's, as config/mapping_*.yaml")
    add('--set', action='append', default=[], metavar='NAME=VALUE', dest='overrides',
        help='a parameter, as in config/ditta.yaml; may be repeated')
    add('--ablate', action='append', default=[], metavar='NAME=FROM:TO:STEP',
        help='a parameter through a range, or NAME=a,b,c, beside its default; may be repeated, '
        'one parameter is changed at a time')
    add('--topic', default='', help="a bag's image topic, where it has several")
    add('--truth-topic', default='', help="a bag's topic of labels; default: /camera/label")
    add('--out', type=Path, metavar='DIR', help='default: evaluation_<date and time>')
    add('--bag', action='store_true',
        help='also write images, masks and overlays of each source as an MCAP bag, in --out/bags, '
        'for Foxglove or RViz')
    add('--resume', action='store_true',
        help='go on with the run in --out; without SOURCE, as it was planned')
    add('--engine', choices=ENGINES, default=ENGINES[0],
        help='where jobs run: in processes here, or on a Ray cluster (RAY_ADDRESS; else one is '
        'started here), whose machines share the folders of sources and --out')
    add('--processes', type=int, metavar='N',
        help=f'jobs at a time, with one thread each; default: {PROCESSES}, with --live 1')
    add('--gpus-per-task', type=float, default=0.0, metavar='SHARE',
        help="of a GPU's memory that a job needs, on ray; default: %(default)s")
    return made


def read(given: argparse.Namespace, arguments: Sequence[str]) -> Plan:
    """Check the options and open every source; raises OptionError, SettingError, SourceError."""
    _check(given)
    folder = given.out or Path(f'evaluation_{datetime.now().astimezone():%Y-%m-%d_%H%M%S}')
    before = read_run(folder)
    if given.resume and before is None:
        raise OptionError(
            f'--resume needs a folder with a {RUN_FILE}, got --out {folder}: name the folder of '
            'the run, or leave --resume away')
    if not given.resume and (folder / RUN_FILE).exists():
        raise OptionError(
            f'--out {folder} holds a run already: add --resume to go on with it, or name another')
    if not given.sources:
        if before is None:
            raise OptionError('evaluate needs a SOURCE, got none: name a recording')
        run = before
    else:
        run = _run(given, arguments)
        if before is not None:
            run = _together(before, run)
    processes = given.processes or (PROCESSES if given.live is None else 1)
    return Plan(run, folder, EngineOptions(given.engine, processes, given.gpus_per_task),
                given.resume, given.bag)


def _check(given: argparse.Namespace) -> None:
    for name in (name.strip() for name in given.methods.split(',')):
        if name not in METHODS:
            raise OptionError(f'--methods must be of {", ".join(METHODS)}, got {name!r}')
    if given.live is not None and not 0 < given.live <= 1000:
        raise OptionError(f'--live must be above 0 and at most 1000 Hz, got {given.live:g}')
    if given.processes is not None and not 1 <= given.processes <= 1024:
        raise OptionError(f'--processes must be 1 to 1024, got {given.processes}')
    if not 0 <= given.gpus_per_task <= 64:
        raise OptionError(f'--gpus-per-task must be 0 to 64, got {given.gpus_per_task:g}')
    if given.tracker_checkpoint and not given.tracker:
        raise OptionError(
            f'--tracker-checkpoint needs --tracker, got {given.tracker_checkpoint!r} alone: name '
            'the yaml that it fits')
    if given.mapping and not Path(given.mapping).is_file():
        raise OptionError(f'--mapping must be a file, got {given.mapping!r}')
    if given.mapping and 'true_labels' in given.methods:
        raise OptionError(
            "--methods true_labels learns truth in the model's own classes, so not with "
            f'--mapping, got {given.mapping!r}: leave one of them away')
    if given.resume and given.out is None:
        raise OptionError('--resume needs --out, the folder of the run to go on with')


def _run(given: argparse.Namespace, arguments: Sequence[str]) -> Run:
    sources = [name for spec in given.sources for name in expand_sources(spec)]
    for name in sources:
        open_source(name, given.topic, given.truth_topic)
    jobs = make_jobs(
        sources, [name.strip() for name in given.methods.split(',')],
        [WarmUpLength.parse(text).text for text in given.warmup.split(',')],
        [_seed(text) for text in given.seeds.split(',')], _values(given),
        [variant for text in given.ablate for variant in parse_ablation(text)], given.live)
    return Run(
        jobs, shlex.join(['evaluate', *arguments]),
        datetime.now(timezone.utc).isoformat(timespec='seconds'), given.topic, given.truth_topic,
        given.mapping)


def _values(given: argparse.Namespace) -> dict[str, Any]:
    values = checked_values(given.overrides)
    for name, value in (('segmenter.model', given.segmenter), ('tracker.config', given.tracker),
                        ('tracker.checkpoint', given.tracker_checkpoint)):
        if value:
            values[name] = value
    return values


def _seed(text: str) -> int:
    if not text.strip().isdecimal():
        raise SettingError(f'--seeds takes whole numbers from 0, got {text!r}')
    return int(text)


def _together(before: Run, now: Run) -> Run:
    """Return the run that was planned before with the jobs of now; sources are read one way."""
    for option in ('topic', 'truth_topic', 'mapping'):
        was, given = getattr(before, option), getattr(now, option)
        if was != given:
            raise OptionError(
                f'--{option.replace("_", "-")} must stay as it was when a run is resumed, '
                f'{was!r}, got {given!r}: name another --out')
    jobs = {job.key: job for job in (*before.jobs, *now.jobs)}
    return Run(
        tuple(jobs.values()), now.command, before.started_utc, now.topic, now.truth_topic,
        now.mapping)
