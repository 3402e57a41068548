"""How every plot of the report looks, and how it gets into a page that needs no network.

Plots are small, so that they stay legible on a phone; their colours can be told apart by
colour-blind readers (Okabe and Ito), and lines differ in marker and dash as well.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ditta_ros.evaluation.report.results import ISS, UPPER_BOUND, title

WIDTH_IN, HEIGHT_IN = 4.6, 3.1
TEXT_PT = 9
INK = '#1a1a1a'
WARM_UP_SHADE = '#f3e3c3'
SHARE_SHADE = '#d9d9d9'
_STYLES = {
    ISS: ('#333333', 's', (0, (4, 1.5))), 'ditta': ('#0072b2', 'o', 'solid'),
    'zero_shot': ('#e69f00', '^', 'solid'), 'bn_only': ('#009e73', 'v', 'solid'),
    'tent': ('#d55e00', 'D', (0, (5, 1, 1, 1))), 'cotta': ('#cc79a7', 'P', (0, (5, 1, 1, 1))),
    'auxadapt': ('#56b4e9', 'X', (0, (5, 1, 1, 1))), UPPER_BOUND: ('#8a6d00', '*', 'dotted'),
}
_OTHER = ('#7a5195', '.', 'solid')


@dataclass(frozen=True, eq=False)
class Plot:
    """A drawing with what it shows in words, for those who cannot see it, too."""

    title: str
    caption: str
    figure: Figure

    @property
    def uri(self) -> str:
        """The drawing as a data URI of SVG, whose text needs no font."""
        buffer = io.StringIO()
        nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
        with mpl.rc_context({'svg.hashsalt': self.title, 'svg.fonttype': 'path'}):
            self.figure.savefig(buffer, format='svg', metadata=nothing)
        return data_uri('image/svg+xml', buffer.getvalue().encode())


def data_uri(kind: str, data: bytes) -> str:
    """Return ``data`` as a URI that holds it, for ``src``."""
    return f'data:{kind};base64,{base64.b64encode(data).decode()}'


def line_style(method: str) -> dict[str, Any]:
    """Return the colour, marker, dash and legend of a method's line, the same in every plot."""
    colour, marker, dash = _STYLES.get(method, _OTHER)
    return {'color': colour, 'marker': marker, 'linestyle': dash, 'linewidth': 1.6,
            'markersize': 4.5, 'label': title(method), 'zorder': 2 if method == ISS else 3}


def axes(x: str, y: str) -> Axes:
    """Return the axes of a new figure; ``x`` and ``y`` are their names with units."""
    figure = Figure((WIDTH_IN, HEIGHT_IN), facecolor='white', layout='constrained')
    made = figure.add_subplot()
    made.set_xlabel(x, fontsize=TEXT_PT, color=INK)
    made.set_ylabel(y, fontsize=TEXT_PT, color=INK)
    made.tick_params(labelsize=TEXT_PT - 1, colors=INK)
    made.grid(color='#e4e4e4', linewidth=0.7)
    made.set_axisbelow(True)
    for side in ('top', 'right'):
        made.spines[side].set_visible(False)
    return made


def finish(made: Axes, name: str, caption: str) -> Plot:
    """Add the legend below the axes, where it hides nothing, and return the plot."""
    figure = made.get_figure()
    assert isinstance(figure, Figure)
    handles, labels = made.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        figure.legend(once.values(), once.keys(), loc='outside lower center', ncols=2,
                      frameon=False, fontsize=TEXT_PT - 1, labelcolor=INK, handlelength=2.6)
        figure.set_figheight(HEIGHT_IN + 0.19 * ((len(once) + 1) // 2))
    return Plot(name, caption, figure)
