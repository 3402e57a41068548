"""``python -m ditta_ros.evaluation.bed --half choose --out FOLDER``: see ``--help``."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ditta_ros.errors import ModelError
from ditta_ros.evaluation.bed.cells import Cell, Job, run
from ditta_ros.evaluation.bed.known import has_all, read_known, with_known
from ditta_ros.evaluation.bed.named import CEILING, DEFAULT_SET, SETS, chosen_variants
from ditta_ros.evaluation.bed.plots import save_plots
from ditta_ros.evaluation.bed.streams import (
    CROPS,
    FRAMES,
    SEEDS,
    SHIFTS,
    STILLS,
    STILLS_NOTE,
    WARM_UPS_PERCENT,
    Stream,
    crop_models,
    crop_streams,
    world_streams,
)
from ditta_ros.evaluation.bed.summary import bars, by_shift, summarise
from ditta_ros.evaluation.bed.tables import table
from ditta_ros.evaluation.json_values import to_json
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.evaluation.processes import run_with_bar
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.whole_file import write_whole
from ditta_ros.settings import SettingError

WIDTH = 160  # of the tables, in the file as on the terminal


@dataclass(frozen=True)
class Plan:
    """What the command line asks for."""

    half: str
    variants: dict[str, dict[str, Any]]
    ceiling: dict[str, Any]
    warm_ups_percent: tuple[float, ...]
    streams: tuple[Stream, ...]
    data: Path | None
    whole: bool  # all streams and warm-ups of the half
    with_ceilings: bool = True
    with_signals: bool = False

    @property
    def notes(self) -> list[str]:
        """What has to be said beside the figures."""
        notes = [f'half to {self.half} on; adapted minus plain SegFormer (ISS) in points, on the '
                 f'frames after the warm-up; cells: {len(self.streams)} streams x warm-ups of '
                 f'{", ".join(f"{each:g} %" for each in self.warm_ups_percent)}']
        if not self.whole:
            notes.append('NOT THE WHOLE HALF: its bars are not those of the bed')
        if any(stream.bed == CROPS for stream in self.streams):
            notes.append(STILLS_NOTE)
        return notes

    def jobs(self, known: dict) -> list[Job]:
        """Return a job for each stream; ceilings that are ``known`` are not measured again."""
        return [
            self._job(stream, self.with_ceilings and not has_all(
                known, stream, self.warm_ups_percent))
            for stream in self.streams]

    def _job(self, stream: Stream, with_ceiling: bool) -> Job:
        models: Mapping[str, Any] = {}
        if stream.bed == CROPS:
            assert self.data is not None  # or there would be no such stream
            models = crop_models(self.data)
        return Job(
            stream, self.warm_ups_percent,
            {name: {**models, **values} for name, values in self.variants.items()},
            {**models, **self.ceiling}, with_ceiling, self.with_signals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, say and write; 2 for input that does not work."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        plan = _plan(options)
        known = {} if options.ceilings is None else read_known(options.ceilings, plan.ceiling)
        options.out.mkdir(parents=True, exist_ok=True)
        done = run_with_bar(run, plan.jobs(known), options.processes, console)
        cells = with_known(list(itertools.chain.from_iterable(done)), known)
        _write(plan, cells, options.out, console)
    except (ModelError, SettingError, SourceError, OSError) as error:
        console.print(str(error), style='red', markup=False, highlight=False, soft_wrap=True)
        return 2
    return 0


def _write(plan: Plan, cells: Sequence[Cell], folder: Path, console: Console) -> None:
    """Print the tables and bars, and write them with the plots and every cell."""
    shown = Console(record=True, width=WIDTH, file=console.file)
    for note in plan.notes:
        shown.print(note, highlight=False)
    beds = {bed: [cell for cell in cells if cell.stream.bed == bed]
            for bed in dict.fromkeys(cell.stream.bed for cell in cells)}
    for bed, group in beds.items():
        for variant in plan.variants:
            shown.print(table(f'{bed}: {variant}', group, variant))
            for bar in bars(group, variant):
                shown.print(f'  {bar}', highlight=False)
    write_whole(folder / 'bed.txt', shown.export_text())
    write_whole(folder / 'bed.json', as_json(plan, beds))
    plots = [path for bed, group in beds.items() for path in save_plots(folder, bed, group)]
    for path in (folder / 'bed.txt', folder / 'bed.json', *plots):
        console.print(f'written  {path}', highlight=False, soft_wrap=True)


def as_json(plan: Plan, beds: dict[str, list[Cell]]) -> str:
    """Return parameters, means, bars and every cell."""
    return json.dumps(to_json({
        'half': plan.half,
        'notes': plan.notes,
        'variants': plan.variants,
        'ceiling': plan.ceiling,
        'means': {bed: {variant: {
            name: summarise(group, variant) for name, group in by_shift(cells).items()}
            for variant in plan.variants} for bed, cells in beds.items()},
        'bars': {bed: {variant: [
            {'name': bar.name, 'value': bar.value, 'least': bar.least, 'met': bar.met}
            for bar in bars(cells, variant)]
            for variant in plan.variants} for bed, cells in beds.items()},
        'cells': [cell for cells in beds.values() for cell in cells],
    }), indent=1, allow_nan=False)


def _plan(options: argparse.Namespace) -> Plan:
    shifts, most = options.shift or SHIFTS, len(SEEDS[options.half])
    if not 0 < options.streams <= most:
        raise SettingError(f'--streams must be 1..{most}, got {options.streams}')
    streams = [] if options.only_real else world_streams(
        options.half, shifts, options.streams, options.frames)
    if options.real or options.only_real:
        if options.half not in STILLS:
            raise SettingError(
                f'--real goes with --half {" or ".join(STILLS)}, which have stills, got '
                f'{options.half}')
        if options.data is None or not (options.data / 'camvid_1hz').is_dir():
            raise SourceError(
                f'--real needs a folder with camvid_1hz and models, got {options.data}: '
                'give --data')
        streams += crop_streams(
            options.half, shifts, options.streams, options.frames, options.data)
    warm_ups = tuple(options.warm_up or WARM_UPS_PERCENT)
    return Plan(
        options.half, chosen_variants(options.set, options.variant),
        parse_overrides(options.ceiling.split()), warm_ups, tuple(streams), options.data,
        whole=(set(shifts) == set(SHIFTS) and options.streams == most
               and options.frames == FRAMES and set(warm_ups) == set(WARM_UPS_PERCENT)),
        with_ceilings=not options.no_ceilings, with_signals=options.signals)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m ditta_ros.evaluation.bed',
        description='Measures variants of DiTTA on fixed streams: gains, rare classes, targets.')
    parser.add_argument('--half', choices=tuple(SEEDS), required=True,
                        help='streams to choose a variant on, to report of it on, or to confirm '
                        'what the report has led to')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER',
                        help='where bed.txt, bed.json and the plots go')
    parser.add_argument('--set', default=DEFAULT_SET, metavar='NAME',
                        help=f'named variants: {", ".join(SETS)} (default: {DEFAULT_SET})')
    parser.add_argument('--variant', action='append', default=[],
                        metavar='"NAME: KEY=VALUE ..."',
                        help='in place of a set; may be repeated')
    parser.add_argument('--ceiling', default=' '.join(CEILING), metavar='"KEY=VALUE ..."',
                        help='how true labels are learnt (default: %(default)s)')
    parser.add_argument('--no-ceilings', action='store_true', help='measure none')
    parser.add_argument('--ceilings', type=Path, metavar='FILE',
                        help='the bed.json of a run whose ceilings are taken over')
    parser.add_argument('--signals', action='store_true', help='record in bed.json what the guard '
                        'might go by, for ditta_ros.evaluation.bed.roc')
    parser.add_argument('--real', action='store_true', help='moving crops of stills as well')
    parser.add_argument('--only-real', action='store_true', help='moving crops of stills alone')
    parser.add_argument('--data', type=Path, metavar='FOLDER',
                        help='for --real: where camvid_1hz and models are')
    few = parser.add_argument_group('less than a half')
    few.add_argument('--shift', action='append', metavar='KIND:STRENGTH',
                     help=f'may be repeated (default: {" ".join(SHIFTS)})')
    few.add_argument('--streams', type=int, default=len(SEEDS['choose']),
                     help='seeds and stills (default: %(default)s)')
    few.add_argument('--frames', type=int, default=FRAMES)
    few.add_argument('--warm-up', type=float, action='append', metavar='PERCENT',
                     help='may be repeated (default: 10 and 25)')
    parser.add_argument('--processes', type=int, default=2, help='with one thread each')
    return parser


if __name__ == '__main__':
    sys.exit(main())
