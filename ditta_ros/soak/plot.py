"""Resident memory over frames and over warm-ups, with the line of which the slope is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ditta_ros.soak.slope import slope
from ditta_ros.soak.streams import Series


def write_plot(series: Sequence[Series], path: Path) -> None:
    """Write one panel for each series, as an image of the kind that the name says."""
    figure, panels = plt.subplots(
        1, len(series), figsize=(6 * len(series), 4), squeeze=False, layout='constrained')
    for panel, each in zip(panels[0], series, strict=True):
        found, half = slope(each.units, each.memory_mb), len(each.units) // 2
        units, memory_mb = np.array(each.units), np.array(each.memory_mb)
        line = memory_mb[half:].mean() + found.mb_per_1000 / 1000 * (
            units[half:] - units[half:].mean())
        panel.plot(units, memory_mb, linewidth=1, label='resident memory')
        panel.plot(units[half:], line, label=(
            f'{found.mb_per_1000:+.3f} MB per 1000 {each.what}, p = {found.p:.2f}'))
        # A scale of its own would blow up a page or two to a mountain.
        middle = float(np.median(memory_mb))
        panel.set_ylim(
            min(memory_mb.min(), 0.95 * middle), max(memory_mb.max(), 1.05 * middle))
        panel.set_xlabel(each.what)
        panel.set_ylabel('MB')
        panel.legend(loc='lower right')
    figure.savefig(path)
    plt.close(figure)
