"""Plots of accuracy: over the length of the warm-up, over swept settings, by reliability."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ditta_ros.evaluation.outcome import Outcome
from ditta_ros.evaluation.report.drawing import SHARE_SHADE, Plot, axes, finish, line_style
from ditta_ros.evaluation.report.measures import FLICKER, MIOU, MVC8, WITH_TRUTH, Measure
from ditta_ros.evaluation.report.results import (
    ISS,
    Results,
    has_truth,
    mean,
    title,
    warm_up_share,
)
from ditta_ros.settings import parameters

FEWEST_PIXELS = 100  # of a reliability bin; an accuracy of fewer says nothing


def over_warm_up(results: Results) -> list[Plot]:
    """Return one plot per metric of its mean over the share of frames that is the warm-up."""
    if len(results.protocols) < 2:
        return []
    chosen = WITH_TRUTH[:4] if has_truth(results.outcomes) else (FLICKER,)
    plots = (_over_warm_up(results, measure) for measure in chosen)
    return [plot for plot in plots if plot is not None]


def _over_warm_up(results: Results, measure: Measure) -> Plot | None:
    made = axes('warm-up (% of frames)', f'{measure.name} ({measure.unit})')
    for method in results.methods:
        points = []
        for under in results.protocols:
            outcomes = results.select(method, under, variant='')
            share = 100 * mean(map(warm_up_share, outcomes))
            points.append((share, mean(map(measure.of, outcomes))))
        points = sorted(point for point in points if not math.isnan(sum(point)))
        if points:
            made.plot(*zip(*points, strict=True), **line_style(method))
    if not made.lines:
        return None  # streams may be too short for mVC16
    made.set_xlim(0, 104)
    return finish(
        made, f'{measure.name} over the warm-up',
        f'{_sentence(measure)} Means over sources and seeds, on the frames after each warm-up'
        '; with the full video as warm-up (100 %) on all frames.')


def sweeps(results: Results) -> list[Plot]:
    """Return one plot per setting that an ablation swept and metric, at the headline protocol."""
    names = dict.fromkeys(
        outcome.job.variant.partition('=')[0] for outcome in results.outcomes
        if outcome.job.variant)
    chosen = (MIOU, MVC8) if has_truth(results.outcomes) else (FLICKER,)
    return [_sweep(results, name, measure) for name in names for measure in chosen]


def _sweep(results: Results, name: str, measure: Measure) -> Plot:
    under = results.headline
    swept = [outcome for outcome in results.select(under=under) if outcome.job.method != ISS
             and outcome.job.variant.partition('=')[0] == name]
    texts = list(dict.fromkeys(outcome.job.variant.partition('=')[2] for outcome in swept))
    places = _places(texts)
    made = axes(name, f'{measure.name} ({measure.unit})')
    if any(text != f'{place:g}' for text, place in places.items()) and not _numeric(texts):
        made.set_xticks(list(places.values()), list(places), rotation=20, ha='right')
    for method in dict.fromkeys(outcome.job.method for outcome in swept):
        by_text = {text: [each for each in swept if each.job.method == method
                          and each.job.variant.partition('=')[2] == text] for text in texts}
        points = sorted((places[text], mean(map(measure.of, each)))
                        for text, each in by_text.items() if each)
        made.plot(*zip(*points, strict=True), **line_style(method))
    plain = mean(map(measure.of, results.select(ISS, under)))
    if not math.isnan(plain):
        made.axhline(plain, **{**line_style(ISS), 'marker': ''})
    default = _default(name)
    if default is not None and _numeric(texts):
        made.axvline(default, color='#777777', linewidth=1, linestyle=':', label='default')
    return finish(
        made, f'{measure.name} over {name}',
        f'{_sentence(measure)} Warm-up {under}; means over sources and seeds.')


def _numeric(texts: Iterable[str]) -> bool:
    return all(_number(text) is not None for text in texts)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _places(texts: Sequence[str]) -> dict[str, float]:
    """Return where each value stands on the axis: numbers at themselves, else side by side."""
    if _numeric(texts):
        return {text: float(text) for text in texts}
    return {text: float(index) for index, text in enumerate(texts)}


def _default(name: str) -> float | None:
    for parameter in parameters():
        if parameter.name == name and type(parameter.default) in (int, float):
            return float(parameter.default)
    return None


def by_reliability(results: Results) -> list[Plot]:
    """Return the share of right pixels over the reliability that their labels claim."""
    under = results.headline
    outcomes = [each for each in results.select(under=under, variant='') if each.reliability_curve]
    if not outcomes:
        return []
    made = axes('reliability (0..1)', 'right pixels (%)')
    made.plot((0, 1), (0, 100), color='#999999', linewidth=1, linestyle=':', label='as claimed')
    methods = [name for name in results.methods
               if any(each.job.method == name for each in outcomes)]
    for method in methods:
        left, pixels, correct = _summed(each for each in outcomes if each.job.method == method)
        middle = left + (left[1] - left[0]) / 2 if len(left) > 1 else left
        if method == methods[0]:
            made.bar(middle, 100 * pixels / max(pixels.sum(), 1), width=.9 / max(len(left), 1),
                     color=SHARE_SHADE, label=f'pixels of {title(method)} (%)', zorder=1)
        seen = pixels >= FEWEST_PIXELS
        made.plot(middle[seen], 100 * correct[seen] / pixels[seen],
                  **line_style(method))
    made.set_xlim(0, 1)
    made.set_ylim(0, 100)
    return [finish(
        made, 'Right pixels by reliability',
        f'Warm-up {under}, all sources together. On the dotted line, labels are right as often '
        f'as they claim; bins of fewer than {FEWEST_PIXELS} pixels are left out.')]


def _summed(outcomes: Iterable[Outcome]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the bins' left edges, float64 [B], and their pixels and right pixels, int64 [B]."""
    bins: dict[float, list[int]] = {}
    for outcome in outcomes:
        for left, pixels, correct in outcome.reliability_curve:
            total = bins.setdefault(left, [0, 0])
            total[0] += pixels
            total[1] += correct
    counts = np.array([bins[left] for left in sorted(bins)], np.int64).reshape(-1, 2)
    return np.array(sorted(bins)), counts[:, 0], counts[:, 1]


def _sentence(measure: Measure) -> str:
    return f'{measure.name}: {measure.about}.'
