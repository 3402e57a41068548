"""What the demo shows at its end: two tables and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.table import Table

from ditta_ros.demo.play import Phase, Play
from ditta_ros.evaluation.scores import Scores
from ditta_ros.labels import UNLABELLED, LabelSet

WARM_UP_COLOUR = '#b45309'
FROZEN_COLOUR = '#15803d'
WIDTH_PX, DPI = 1600, 100


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
    without = (('flicker: pixels that change label from frame to frame', 'flicker'),
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
    matplotlib.rcParams['font.family'] = 'DejaVu Sans'
    rows = ['frames', 'ISS', 'adapted']
    if any(column.truth is not None for column in columns):
        rows.append('truth')
    height, width = columns[0].rgb.shape[:2]
    left_in, right_in, top_in, gap_in = 1.15, 0.12, 1.4, 0.06
    present = _present(columns)
    legend_rows = math.ceil(len(present) / 8)
    bottom_in = 0.25 + 0.3 * legend_rows
    page_w = WIDTH_PX / DPI
    cell_w = (page_w - left_in - right_in - gap_in * (len(columns) - 1)) / len(columns)
    cell_h = cell_w * height / width
    page_h = top_in + bottom_in + len(rows) * cell_h + gap_in * (len(rows) - 1)
    figure = Figure(figsize=(page_w, page_h), dpi=DPI, facecolor='white')

    for x, column in enumerate(columns):
        for y, row in enumerate(rows):
            left = left_in + x * (cell_w + gap_in)
            bottom = page_h - top_in - (y + 1) * cell_h - y * gap_in
            axes = figure.add_axes((
                left / page_w, bottom / page_h, cell_w / page_w, cell_h / page_h))
            _draw_cell(axes, column, row, label_set)
            if x == 0:
                figure.text(
                    (left_in - 0.12) / page_w, (bottom + cell_h / 2) / page_h, row, ha='right',
                    va='center', fontsize=13, fontweight='bold')
        figure.text(
            (left_in + x * (cell_w + gap_in) + cell_w / 2) / page_w,
            (page_h - top_in + 0.1) / page_h, f'frame {column.index} · {column.time_s:.1f} s',
            ha='center', va='bottom', fontsize=11)
    _draw_phases(figure, columns, left_in, cell_w, gap_in, page_h - top_in + 0.36)
    figure.text(
        left_in / page_w, (page_h - 0.14) / page_h, title, fontsize=16, fontweight='bold',
        va='top')
    figure.text(
        left_in / page_w, (page_h - 0.47) / page_h, subtitle, fontsize=11.5, va='top',
        color='#444444')
    _draw_legend(figure, present, label_set)
    figure.savefig(path)


def _present(columns: Sequence[Column]) -> list[int]:
    """Return the classes that the picture shows, in index order."""
    maps = [label for column in columns for label in (column.iss, column.adapted, column.truth)
            if label is not None]
    return [int(label) for label in np.unique(np.concatenate([m.ravel() for m in maps]))
            if label != UNLABELLED]


def _draw_cell(axes: Axes, column: Column, row: str, label_set: LabelSet) -> None:
    axes.set_axis_off()
    if row == 'frames':
        axes.imshow(column.rgb, interpolation='antialiased')
        return
    label = {'ISS': column.iss, 'adapted': column.adapted, 'truth': column.truth}[row]
    if label is None:
        return
    axes.imshow(label_set.colorize(label), interpolation='nearest')
    if row != 'truth' and column.truth is not None:
        known = column.truth != UNLABELLED
        right = float(np.mean(label[known] == column.truth[known])) if known.any() else 0.0
        axes.text(
            0.97, 0.04, f'{100 * right:.0f} % correct', transform=axes.transAxes, ha='right',
            va='bottom', fontsize=10, color='white', fontweight='bold',
            path_effects=[patheffects.withStroke(linewidth=2.5, foreground='black')])


def _draw_phases(
    figure: Figure, columns: Sequence[Column], left_in: float, cell_w: float, gap_in: float,
    y_in: float,
) -> None:
    """Draw a coloured bar over the columns of each phase, with its name."""
    page_w, page_h = figure.get_size_inches()
    for warm_up, colour, text in (
            (True, WARM_UP_COLOUR, 'warm-up: labelled by the plain model'),
            (False, FROZEN_COLOUR, 'adapted and frozen')):
        at = [x for x, column in enumerate(columns) if column.warm_up == warm_up]
        if not at:
            continue
        left = left_in + at[0] * (cell_w + gap_in)
        right = left_in + at[-1] * (cell_w + gap_in) + cell_w
        fitting = text if right - left > 3.5 else text.partition(':')[0]
        figure.patches.append(matplotlib.patches.Rectangle(
            (left / page_w, y_in / page_h), (right - left) / page_w, 0.24 / page_h,
            transform=figure.transFigure, facecolor=colour, edgecolor='none'))
        figure.text(
            (left + right) / 2 / page_w, (y_in + 0.115) / page_h, fitting, ha='center', va='center',
            fontsize=10.5, color='white', fontweight='bold')


def _draw_legend(figure: Figure, present: Sequence[int], label_set: LabelSet) -> None:
    patches = [
        Patch(facecolor=label_set.palette[label] / 255, edgecolor='#666666', linewidth=0.6,
              label=label_set.names[label])
        for label in present]
    figure.legend(
        handles=patches, loc='lower center', ncols=min(len(patches), 8) or 1, frameon=False,
        fontsize=11, handlelength=1.3, handleheight=1.1, columnspacing=1.6,
        bbox_to_anchor=(0.5, 0.0))
