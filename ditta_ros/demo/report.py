"""What the demo shows at its end: two tables and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from rich.table import Table

from ditta_ros.demo.play import Phase, Play
from ditta_ros.evaluation.scores import Scores
from ditta_ros.labels import UNLABELLED, LabelSet

WARM_UP_COLOUR = '#b45309'
FROZEN_COLOUR = '#15803d'
DPI = 100
WIDTH_IN, LEFT_IN, RIGHT_IN, HEAD_IN = 16.0, 1.15, 0.12, 1.4
GAP_IN, BAR_IN = 0.06, 0.24
LEGEND_COLUMNS = 8


@dataclass(frozen=True)
class Column:
    """One moment of the stream: picture uint8 [H, W, 3] and label maps uint8 [H, W]."""

    index: int
    time_s: float
    warm_up: bool
    rgb: np.ndarray
    iss: np.ndarray
    adapted: np.ndarray
    truth: np.ndarray | None


def score_table(
    title: str, iss: Scores, adapted: Scores, agreement: float, has_truth: bool,
) -> Table:
    """Return ISS against adapted: mIoU, mVC8 and wIoU, or what can be said without truth."""
    table = Table(title=title, title_justify='left')
    for name in ('', 'ISS', 'adapted', 'change'):
        table.add_column(name, justify='left' if not name else 'right')
    with_truth = (('mIoU', 'miou'), ('mVC8', 'mvc8'), ('wIoU', 'wiou'))
    without = (('flicker (pixels that change label)', 'flicker'),
               ('mean reliability', 'reliability'))
    for name, key in with_truth if has_truth else without:
        before, after = 100 * getattr(iss, key), 100 * getattr(adapted, key)
        table.add_row(name, f'{before:.1f} %', f'{after:.1f} %', f'{after - before:+.1f}')
    if not has_truth:
        table.add_row('pixels labelled alike by both', '', f'{100 * agreement:.1f} %', '')
    return table


def phase_table(play: Play, iss: Phase) -> Table:
    """Return how fast each phase was, and what became of the frames."""
    table = Table(
        title=f'frames: {play.sent} in, {play.labelled} labelled, '
        f'{play.sent - play.labelled} dropped, {play.sent_again} sent again',
        title_justify='left')
    table.add_column('phase')
    for name in ('frames', 'fps', 'median wait'):
        table.add_column(name, justify='right')
    table.add_row(*_phase_row(play.warm_up))
    table.add_row('adaptation', '', '', f'{play.adaptation_s:.1f} s in all')
    table.add_row(*_phase_row(play.frozen))
    table.add_row(*_phase_row(iss))
    return table


def _phase_row(phase: Phase) -> tuple[str, str, str, str]:
    if not phase.frames:
        return phase.name, '0', '', ''
    return phase.name, str(phase.frames), f'{phase.rate_fps:.1f}', f'{phase.median_ms:.0f} ms'


def save_picture(
    path: Path, title: str, subtitle: str, columns: Sequence[Column], label_set: LabelSet,
) -> None:
    """Draw rows frames / ISS / adapted / truth (where there is truth), one column per moment."""
    rows = ['frames', 'ISS', 'adapted']
    if any(column.truth is not None for column in columns):
        rows.append('truth')
    present = _present(columns)
    height, width = columns[0].rgb.shape[:2]
    page = Page(len(columns), len(rows), height / width, math.ceil(len(present) / LEGEND_COLUMNS))
    page.text(LEFT_IN, page.height_in - 0.14, title, 'left', 'top', size=16, weight='bold')
    page.text(LEFT_IN, page.height_in - 0.47, subtitle, 'left', 'top', size=11.5, color='#444444')
    _draw_phases(page, columns)
    for x, column in enumerate(columns):
        page.text(page.left_in(x) + page.cell_width_in / 2, page.top_in + 0.1,
                  f'frame {column.index} · {column.time_s:.1f} s', 'center', 'bottom', size=11)
        for y, row in enumerate(rows):
            _draw_cell(page.axes(x, y), column, row, label_set)
    for y, row in enumerate(rows):
        page.text(LEFT_IN - 0.12, page.bottom_in(y) + page.cell_height_in / 2, row, 'right',
                  'center', size=13, weight='bold')
    _draw_legend(page.figure, present, label_set)
    page.figure.savefig(path)


class Page:
    """A grid of cells under a title and over a legend; lengths in inches from the lower left."""

    def __init__(self, columns: int, rows: int, aspect: float, legend_rows: int) -> None:
        """``aspect``: height of a cell by its width."""
        free_in = WIDTH_IN - LEFT_IN - RIGHT_IN - GAP_IN * (columns - 1)
        self.cell_width_in = free_in / columns
        self.cell_height_in = self.cell_width_in * aspect
        grid_in = rows * (self.cell_height_in + GAP_IN) - GAP_IN
        self.top_in = 0.25 + 0.3 * legend_rows + grid_in
        self.height_in = self.top_in + HEAD_IN
        self.figure = Figure(figsize=(WIDTH_IN, self.height_in), dpi=DPI, facecolor='white')

    def left_in(self, x: int) -> float:
        """Return the left edge of column ``x``."""
        return LEFT_IN + x * (self.cell_width_in + GAP_IN)

    def bottom_in(self, y: int) -> float:
        """Return the lower edge of row ``y``, counted from the top."""
        return self.top_in - (y + 1) * self.cell_height_in - y * GAP_IN

    def axes(self, x: int, y: int) -> Axes:
        """Return empty axes that fill a cell."""
        axes = self.figure.add_axes((
            self.left_in(x) / WIDTH_IN, self.bottom_in(y) / self.height_in,
            self.cell_width_in / WIDTH_IN, self.cell_height_in / self.height_in))
        axes.set_axis_off()
        return axes

    def text(
        self, x_in: float, y_in: float, text: str, across: str, up: str, **style: Any,
    ) -> None:
        """Write ``text`` at a point, aligned ``across`` and ``up`` as matplotlib names it."""
        self.figure.text(
            x_in / WIDTH_IN, y_in / self.height_in, text, ha=across, va=up, **style)

    def bar(self, left_in: float, right_in: float, bottom_in: float, colour: str) -> None:
        """Draw a flat bar ``BAR_IN`` high."""
        self.figure.patches.append(Rectangle(
            (left_in / WIDTH_IN, bottom_in / self.height_in), (right_in - left_in) / WIDTH_IN,
            BAR_IN / self.height_in, transform=self.figure.transFigure, facecolor=colour,
            edgecolor='none'))


def _present(columns: Sequence[Column]) -> list[int]:
    """Return the classes that the picture shows, in index order."""
    maps = [label for column in columns for label in (column.iss, column.adapted, column.truth)
            if label is not None]
    return [int(label) for label in np.unique(np.concatenate([m.ravel() for m in maps]))
            if label != UNLABELLED]


def _draw_cell(axes: Axes, column: Column, row: str, label_set: LabelSet) -> None:
    if row == 'frames':
        axes.imshow(column.rgb, interpolation='antialiased')
        return
    label = {'ISS': column.iss, 'adapted': column.adapted, 'truth': column.truth}[row]
    if label is None:
        return
    axes.imshow(label_set.colorize(label), interpolation='nearest')
    if row != 'truth' and column.truth is not None:
        known = column.truth != UNLABELLED
        correct = float(np.mean(label[known] == column.truth[known])) if known.any() else 0.0
        axes.text(
            0.97, 0.04, f'{100 * correct:.0f} % correct', transform=axes.transAxes, ha='right',
            va='bottom', fontsize=10, color='white', fontweight='bold',
            path_effects=[patheffects.withStroke(linewidth=2.5, foreground='black')])


def _draw_phases(page: Page, columns: Sequence[Column]) -> None:
    """Draw a bar over the columns of each phase, with its name."""
    for warm_up, colour, name in (
            (True, WARM_UP_COLOUR, 'warm-up: labelled by the plain model'),
            (False, FROZEN_COLOUR, 'adapted and frozen')):
        at = [x for x, column in enumerate(columns) if column.warm_up == warm_up]
        if not at:
            continue
        left_in, right_in = page.left_in(at[0]), page.left_in(at[-1]) + page.cell_width_in
        bottom_in = page.top_in + 0.36
        page.bar(left_in, right_in, bottom_in, colour)
        fitting = name if right_in - left_in > 3.5 else name.partition(':')[0]
        page.text((left_in + right_in) / 2, bottom_in + BAR_IN / 2 - 0.01, fitting, 'center',
                  'center', size=10.5, color='white', weight='bold')


def _draw_legend(figure: Figure, present: Sequence[int], label_set: LabelSet) -> None:
    patches = [
        Patch(facecolor=label_set.palette[label] / 255, edgecolor='#666666', linewidth=0.6,
              label=label_set.names[label])
        for label in present]
    figure.legend(
        handles=patches, loc='lower center', ncols=min(len(patches), LEGEND_COLUMNS) or 1,
        frameon=False, fontsize=11, handlelength=1.3, handleheight=1.1, columnspacing=1.6,
        bbox_to_anchor=(0.5, 0.0))
