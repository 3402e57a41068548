"""The bed in two plots: the gain under each shift, and what it has to do with the targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ditta_ros.evaluation.bed.cells import Cell
from ditta_ros.evaluation.bed.streams import CLEAN
from ditta_ros.evaluation.bed.summary import (
    by_shift,
    miou_change,
    summarise,
    target_change,
)
from ditta_ros.evaluation.report.drawing import axes, finish

DPI = 160
COLOURS = ('#0072b2', '#e69f00', '#009e73', '#d55e00', '#cc79a7', '#56b4e9', '#7a5195')
CEILING_COLOUR = '#1a1a1a'


def save_plots(folder: Path, bed: str, cells: Sequence[Cell]) -> list[Path]:
    """Write both plots of a bed's cells as PNG into ``folder``; return their paths."""
    variants = list(cells[0].adapted)
    made = {f'gain_by_shift_{bed}': gain_by_shift(cells, variants),
            f'gain_by_targets_{bed}': gain_by_targets(cells, variants)}
    paths = []
    for name, drawn in made.items():
        figure = finish(drawn, name, '').figure
        paths.append(folder / f'{name}.png')
        figure.savefig(paths[-1], dpi=DPI)
    return paths


def gain_by_shift(cells: Sequence[Cell], variants: Sequence[str]) -> Axes:
    """Return bars of each variant's mean change of mIoU, beside what true labels bring."""
    groups = by_shift(cells)
    made = axes('', 'change of mIoU (points)')
    figure = made.get_figure()
    assert isinstance(figure, Figure)  # it was made with the axes
    figure.set_figwidth(7)
    places, width = np.arange(len(groups)), 0.8 / len(variants)
    for number, variant in enumerate(variants):
        gains = [summarise(group, variant).miou for group in groups.values()]
        made.bar(places - 0.4 + (number + 0.5) * width, gains, 0.9 * width,
                 color=COLOURS[number % len(COLOURS)], label=variant)
    ceilings = [summarise(group, variants[0]).ceiling for group in groups.values()]
    if not np.isnan(ceilings).all():
        made.hlines(ceilings, places - 0.45, places + 0.45, color=CEILING_COLOUR, linewidth=1.6,
                    label="the warm-up's true labels")
    made.axhline(0, color='#777777', linewidth=0.8)
    made.set_xticks(places, [name.partition(':')[0].replace('_', ' ') for name in groups],
                    rotation=20, ha='right')
    return made


def gain_by_targets(cells: Sequence[Cell], variants: Sequence[str]) -> Axes:
    """Return one point a cell: change of mIoU over how much righter the targets were."""
    made = axes('right pixels of the targets, against ISS labels (points)',
                'change of mIoU (points)')
    for number, variant in enumerate(variants):
        colour = COLOURS[number % len(COLOURS)]
        for clean, marker in ((True, 'o'), (False, '^')):
            chosen = [cell for cell in cells if (cell.stream.shift == CLEAN) == clean]
            made.scatter(
                [target_change(cell, variant) for cell in chosen],
                [miou_change(cell, variant) for cell in chosen], s=14, marker=marker,
                facecolors='none' if clean else colour, edgecolors=colour, linewidths=0.9,
                label=f'{variant}, {"clean" if clean else "shifted"}')
    for line in (made.axhline, made.axvline):
        line(0, color='#777777', linewidth=0.8)
    return made
