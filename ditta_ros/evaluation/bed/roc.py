"""``python -m ditta_ros.evaluation.bed.roc BED.json ...``: which signal tells harm from gain.

Of every candidate that a bed's run with ``--signals`` has recorded, the truth says whether it did
good or harm, and a signal speaks for it or against it.  A guard that lets those pass whose signal
is at least a threshold keeps some of the helpful and lets some of the harmful through; the curve
of both, over all thresholds, is the signal's ROC.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from rich.console import Console
from rich.table import Table

from ditta_ros.evaluation.bed.candidates import Candidate
from ditta_ros.evaluation.bed.reached import Reached
from ditta_ros.evaluation.bed.signals import SIGNALS
from ditta_ros.evaluation.bed.streams import Stream
from ditta_ros.evaluation.json_values import JsonError, from_json
from ditta_ros.evaluation.report.drawing import axes, finish
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.whole_file import write_whole

KEPT = 0.8  # of the helpful candidates: what a guard shall keep at least
WIDTH = 160  # of the table, in the file as on the terminal
DPI = 160
# Of the signals with the largest areas; the others are not drawn.
COLOURS = ('#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9')


@dataclass(frozen=True)
class _Cell:
    stream: Stream
    warm_up_percent: float
    iss: Reached
    adapted: Mapping[str, Any]


@dataclass(frozen=True)
class _Run:
    cells: tuple[_Cell, ...]


@dataclass(frozen=True)
class Tried:
    """One candidate: what it changes mIoU by, in points, its signals, and the guard's verdict."""

    variant: str
    change: float
    signals: Mapping[str, float]
    promoted: bool


@dataclass(frozen=True)
class Curve:
    """The ROC of one signal: at each threshold, the highest first, what passes."""

    harmful: tuple[float, ...]  # shares of them that are let through, from 0 to 1
    helpful: tuple[float, ...]  # shares of them that are kept, from 0 to 1

    @classmethod
    def of(cls, helpful: Sequence[float], harmful: Sequence[float]) -> Curve:
        """Return the curve of a signal, given its values of helpful and harmful candidates.

        Raises ValueError where there are none of either.
        """
        if not helpful or not harmful:
            raise ValueError(
                f'a ROC needs helpful and harmful candidates, got {len(helpful)} and '
                f'{len(harmful)}')
        thresholds = sorted({*helpful, *harmful}, reverse=True)
        return cls(
            (0.0, *(_share(harmful, each) for each in thresholds)),
            (0.0, *(_share(helpful, each) for each in thresholds)))

    @property
    def area(self) -> float:
        """How often a helpful candidate has the higher signal of two; 0.5: by chance."""
        points = zip(self.harmful, self.helpful, strict=True)
        return sum((right - left) * (low + high) / 2
                   for (left, low), (right, high) in pairwise(points))

    @property
    def kept_without_harm(self) -> float:
        """The share of the helpful that pass where nothing harmful does."""
        return max(kept for through, kept in zip(self.harmful, self.helpful, strict=True)
                   if through == 0)

    def stopped(self, kept: float) -> float:
        """Return the share of the harm that is stopped where ``kept`` of the helpful pass."""
        return 1 - min(through for through, passed in zip(
            self.harmful, self.helpful, strict=True) if passed >= kept)


def _share(values: Sequence[float], threshold: float) -> float:
    return sum(value >= threshold for value in values) / len(values)


def read_tried(path: Path, variants: Sequence[str] = ()) -> list[Tried]:
    """Return every candidate of ``variants``, or all, in the ``bed.json`` of a run.

    Raises SourceError where there is none.
    """
    try:
        read = from_json(_Run, json.loads(path.read_text(encoding='utf-8')))
        tried = [
            _tried(name, cell.iss, adapted) for cell in read.cells
            for name, adapted in cell.adapted.items()
            if adapted.get('candidate') and (not variants or name in variants)]
    except (OSError, ValueError, AttributeError, JsonError) as error:
        raise SourceError(f'{path}: must be the bed.json of a run: {error}') from None
    if not tried:
        raise SourceError(
            f'{path}: must hold candidates{" of " + ", ".join(variants) if variants else ""}, '
            'got none: run the bed with --signals')
    return tried


def _tried(variant: str, iss: Reached, adapted: Mapping[str, Any]) -> Tried:
    candidate = from_json(Candidate, adapted['candidate'])
    return Tried(
        variant, 100 * (candidate.reached.miou - iss.miou), candidate.signals,
        bool(adapted.get('status', {}).get('promoted')))


def split(tried: Sequence[Tried], margin: float) -> tuple[list[Tried], list[Tried]]:
    """Return the helpful and the harmful: mIoU changed by more than ``margin`` points."""
    return ([each for each in tried if each.change > margin],
            [each for each in tried if each.change < -margin])


def curves(helpful: Sequence[Tried], harmful: Sequence[Tried]) -> dict[str, Curve]:
    """Return every signal's curve, the one with the largest area first."""
    made = {name: Curve.of(
        [each.signals[name] for each in helpful], [each.signals[name] for each in harmful])
        for name in SIGNALS}
    return dict(sorted(made.items(), key=lambda item: -item[1].area))


def table(made: Mapping[str, Curve], helpful: int, harmful: int) -> Table:
    """Return the signals with what they are worth."""
    out = Table(title=f'{helpful} helpful and {harmful} harmful candidates', title_justify='left')
    out.add_column('signal')
    for name in ('area', f'harm stopped, {100 * KEPT:.0f} % of the helpful kept',
                 'helpful kept, all harm stopped'):
        out.add_column(name, justify='right')
    out.add_column('what it is')
    for name, curve in made.items():
        out.add_row(name, f'{curve.area:.2f}', f'{100 * curve.stopped(KEPT):.0f} %',
                    f'{100 * curve.kept_without_harm:.0f} %', SIGNALS[name])
    return out


def drawn(made: Mapping[str, Curve], guard: tuple[float, float]) -> Axes:
    """Return the best signals' curves, and what the ``guard`` lets through and keeps."""
    on = axes('harmful candidates let through', 'helpful candidates kept')
    on.plot((0, 1), (0, 1), color='#999999', linewidth=0.8, linestyle='dashed', label='chance')
    for colour, (name, curve) in zip(COLOURS, made.items(), strict=False):
        on.plot(curve.harmful, curve.helpful, color=colour, linewidth=1.6,
                label=f'{name} ({curve.area:.2f})')
    on.plot(*guard, 'k*', markersize=10, label='the guard')
    return on


def main(arguments: Sequence[str] | None = None) -> int:
    """Say, draw and write; 2 for input that does not work."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        tried = [each for path in options.runs for each in read_tried(path, options.variant)]
        helpful, harmful = split(tried, options.margin)
        made = curves(helpful, harmful)
        options.out.mkdir(parents=True, exist_ok=True)
        _write(made, helpful, harmful, options.out, console)
    except (SourceError, ValueError, OSError) as error:
        console.print(str(error), style='red', markup=False, highlight=False, soft_wrap=True)
        return 2
    return 0


def _write(
    made: Mapping[str, Curve], helpful: Sequence[Tried], harmful: Sequence[Tried], folder: Path,
    console: Console,
) -> None:
    let_through, kept = (
        sum(each.promoted for each in group) / len(group) for group in (harmful, helpful))
    shown = Console(record=True, width=WIDTH, file=console.file)
    shown.print(table(made, len(helpful), len(harmful)))
    shown.print(f'the guard kept {100 * kept:.0f} % of the helpful and stopped '
                f'{100 * (1 - let_through):.0f} % of the harmful', highlight=False)
    write_whole(folder / 'roc.txt', shown.export_text())
    figure = finish(drawn(made, (let_through, kept)), 'roc', '').figure
    figure.savefig(folder / 'roc.png', dpi=DPI)
    for name in ('roc.txt', 'roc.png'):
        console.print(f'written  {folder / name}', highlight=False, soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m ditta_ros.evaluation.bed.roc',
        description='Says which signal tells harmful candidates from helpful ones.')
    parser.add_argument('runs', type=Path, nargs='+', metavar='BED.json',
                        help='of runs of the bed with --signals')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER',
                        help='where roc.txt and roc.png go')
    parser.add_argument('--variant', action='append', default=[], metavar='NAME',
                        help='candidates of this variant; may be repeated (default: all)')
    parser.add_argument('--margin', type=float, default=0.0, metavar='POINTS',
                        help='a smaller change of mIoU is neither help nor harm '
                        '(default: %(default)s)')
    return parser


if __name__ == '__main__':
    sys.exit(main())
