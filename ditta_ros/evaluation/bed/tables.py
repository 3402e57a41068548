"""The bed's figures for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from ditta_ros.evaluation.bed.cells import Cell
from ditta_ros.evaluation.bed.summary import RARE, Summary, by_shift, summarise

COLUMNS = ('mIoU', 'mVC8', 'accuracy', 'worst', 'better', *RARE, 'targets', 'targets mIoU',
           'true labels', 'share', 'promoted')


def table(title: str, cells: Sequence[Cell], variant: str) -> Table:
    """Return what a variant changes by shift, in points against the plain model."""
    out = Table(title=title, title_justify='left')
    out.add_column('')
    for name in COLUMNS:
        out.add_column(name, justify='right')
    for name, group in by_shift(cells).items():
        if name in ('under shift', 'all'):
            out.add_section()
        out.add_row(name, *_row(summarise(group, variant)))
    return out


def _row(of: Summary) -> list[str]:
    share = '' if math.isnan(of.ceiling_share) else f'{100 * of.ceiling_share:.0f} %'
    return [
        *map(points, (of.miou, of.mvc8, of.accuracy, of.worst)), f'{of.better}/{of.cells}',
        *map(points, of.rare.values()),
        *map(points, (of.target_accuracy, of.target_miou, of.ceiling)), share,
        f'{of.promoted}/{of.cells}']


def points(value: float) -> str:
    """Return a change in points; '' where it was not measured."""
    return '' if math.isnan(value) else f'{value:+.1f}'
