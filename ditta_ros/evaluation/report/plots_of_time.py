"""Plots over time: the accuracy of each frame, and how long labels take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from matplotlib.ticker import LogLocator, NullFormatter

from ditta_ros.evaluation.outcome import (
    BINS_PER_DECADE,
    Latency,
    Outcome,
    latency_edge_ms,
)
from ditta_ros.evaluation.report.drawing import WARM_UP_SHADE, Plot, axes, finish, line_style
from ditta_ros.evaluation.report.results import Results, mean, short

FEWEST_FRAMES = 3  # with truth, for a line over time
MOST_SOURCES = 8  # that are shown; report.json has all
PHASES = {'warm_up': 'while warming up', 'adapt': 'while learning', 'frozen': 'after the warm-up'}


def over_time(results: Results) -> list[Plot]:
    """Return mIoU frame by frame with the warm-up shaded, one plot per source."""
    shown = [source for source in results.sources if any(
        len(each.miou_of_frame) >= FEWEST_FRAMES for each in
        results.select(under=results.headline, source=source, variant=''))]
    return [_over_time(results, source) for source in shown[:MOST_SOURCES]]


def _over_time(results: Results, source: str) -> Plot:
    under, name = results.headline, short(source, results.sources)
    made = axes('frame', 'mIoU of the frame (%)')
    outcomes = results.select(under=under, source=source, variant='')
    ends = {each.warm_up_frames for each in outcomes if each.job.warm_up != 'full'}
    if ends:
        made.axvspan(-.5, max(ends) - .5, color=WARM_UP_SHADE, label='warm-up', zorder=0)
    for method in results.methods:
        mine = [each for each in outcomes if each.job.method == method]
        points = _mean_by_frame(mine)
        if points:
            style = {**line_style(method), 'marker': '', 'linewidth': 1.3}
            made.plot(*zip(*points, strict=True), **style)
    made.margins(x=.01)
    return finish(
        made, f'mIoU over time: {name}',
        f'The mIoU of each frame by itself, mean over seeds. Warm-up {under}. {source}')


def _mean_by_frame(outcomes: Sequence[Outcome]) -> list[tuple[int, float]]:
    """Return the frames' indices and mIoU in percent."""
    values: dict[int, list[float]] = {}
    for outcome in outcomes:
        for index, miou in outcome.miou_of_frame:
            values.setdefault(index, []).append(100 * miou)
    return [(index, mean(values[index])) for index in sorted(values)]


def latencies(results: Results) -> list[Plot]:
    """Return a histogram of the labels' latency for each phase that had frames."""
    outcomes = results.select(under=results.headline, variant='')
    return [_latency(results, outcomes, phase) for phase in PHASES
            if any(each.histogram_ms for each in _of_phase(outcomes, phase))]


def _latency(results: Results, outcomes: Sequence[Outcome], phase: str) -> Plot:
    made = axes('from frame to label (ms)', 'frames (%)')
    made.set_xscale('log')
    for method in results.methods:
        mine = [each for each in outcomes if each.job.method == method]
        edges, counts = _histogram(_of_phase(mine, phase))
        if counts:
            style = line_style(method)
            total = sum(counts)
            made.stairs(
                [100 * count / total for count in counts], edges,
                color=style['color'], linestyle=style['linestyle'],
                linewidth=1.6, label=style['label'])
    made.set_ylim(bottom=0)
    made.xaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
    made.xaxis.set_major_formatter(lambda value, _: f'{value:g}')
    made.xaxis.set_minor_formatter(NullFormatter())
    return finish(
        made, f'Latency {PHASES[phase]}',
        f'Warm-up {results.headline}, all sources together, the phase {phase!r}: frames by the '
        'time from frame to label.')


def _of_phase(outcomes: Iterable[Outcome], phase: str) -> list[Latency]:
    return [latency for outcome in outcomes for latency in outcome.latencies
            if latency.phase == phase]


def _histogram(latencies_of_phase: Iterable[Latency]) -> tuple[list[float], list[int]]:
    """Return edges in ms, one more than there are bins, and the bins' counts."""
    bins: dict[int, int] = {}
    for latency in latencies_of_phase:
        for left_ms, count in latency.histogram_ms:
            index = round(BINS_PER_DECADE * math.log10(left_ms))
            bins[index] = bins.get(index, 0) + count
    if not bins:
        return [], []
    # Between two jobs' frames there may be bins that neither has.
    indices = range(min(bins), max(bins) + 1)
    return ([latency_edge_ms(index) for index in (*indices, indices.stop)],
            [bins.get(index, 0) for index in indices])
