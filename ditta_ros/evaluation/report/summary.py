"""What the figures come to, in plain words: does adapting help here, by how much, at what cost."""

from __future__ import annotations

import math

from ditta_ros.evaluation.report.measures import (
    ADAPTATION,
    AGREEMENT,
    FLICKER,
    LABEL_P50,
    MIOU,
    MVC8,
    PEAK_MEMORY,
    RELIABILITY,
    Measure,
)
from ditta_ros.evaluation.report.results import (
    ISS,
    UPPER_BOUND,
    Results,
    has_truth,
    same_frames,
    title,
)
from ditta_ros.evaluation.report.rows import Mean, Row, row

SMALLEST_CHANGE_POINTS = 0.5  # what is less is called no difference, however sure


def summarise(results: Results) -> list[str]:
    """Return the sentences at the head of the report, the answer first."""
    if not results.outcomes:
        return ['No job has finished, so there is nothing to report yet.']
    method = subject(results)
    if method is None:
        return ['No method that adapts on a robot has been evaluated, so nothing can be said of '
                'adapting: evaluate ditta, too.']
    rows = {under: row(results, chosen, under) for under in results.protocols
            if (chosen := results.select(method, under, variant=''))}
    if not rows:
        return [f'{title(method)} has been evaluated in variants alone: see their table.']
    head = rows.get(results.headline) or next(iter(rows.values()))
    answer = _on_other_frames(results, head) or (
        _with_truth(head) if has_truth(results.outcomes) else _without_truth(head))
    return [*answer, _cost(results, head), *_other_warm_ups(rows, head)]


def subject(results: Results) -> str | None:
    """Return the method that the summary is about: DiTTA where it ran; None with ISS alone."""
    others = [name for name in results.methods if name not in (ISS, UPPER_BOUND)]
    return 'ditta' if 'ditta' in others else others[0] if others else None


def _with_truth(head: Row) -> list[str]:
    name, miou = title(head.method), head.means[MIOU.key]
    if not miou.pairs:
        return [f'{name} reaches an mIoU of {MIOU.text(miou.value)} % (warm-up {head.under}); '
                'the plain model has not been evaluated on the same frames, so there is nothing '
                'to compare with.']
    steady = head.means[MVC8.key]
    return [
        f'{_verdict(miou)} {name} with a warm-up of {head.under}: {_change(MIOU, miou)}.'
        f'{_doubt(miou)}',
        *([f'Labels become {"steadier" if steady.change > 0 else "less steady"}: '
           f'{_change(MVC8, steady)}.'] if steady.pairs else [])]


def _on_other_frames(results: Results, head: Row) -> list[str]:
    """Say that the figures do not compare, where frames were dropped; [] where they do."""
    outcomes = results.select(head.method, head.under, variant='')
    pairs = [(outcome, plain) for outcome in outcomes if (plain := results.partner(outcome))]
    if all(same_frames(*pair) for pair in pairs):
        return []
    ours, theirs = (sum(each.dropped for each in side) for side in zip(*pairs, strict=True))
    return [f'Whether adapting helps cannot be said at this rate: {title(head.method)} dropped '
            f'{ours} frames and the plain model {theirs}, so their figures are of different '
            'frames: evaluate without --live to compare.']


def _verdict(change: Mean) -> str:
    sure = change.clear or (change.pairs < 3 and change.better in (0, change.pairs))
    if abs(change.change) < SMALLEST_CHANGE_POINTS or not sure:
        return 'Adapting makes no clear difference to accuracy on these recordings.'
    return ('Adapting helps on these recordings.' if change.change > 0
            else 'Adapting does harm on these recordings.')


def _doubt(change: Mean) -> str:
    if change.pairs >= 3:
        return ''
    return (f' {"This is one stream" if change.pairs == 1 else "These are two streams"} alone: '
            'more recordings or seeds are needed to rely on it.')


def _change(measure: Measure, change: Mean) -> str:
    """Return 'mIoU 58.1 to 62.8 % (+4.7 points, better in 5 of 8)', over the pairs' mean."""
    unit = ' points' if measure.unit == '%' else f' {measure.unit}'
    counted = f', better in {change.better} of {change.pairs}' if change.pairs > 1 else ''
    return (f'{measure.name} {measure.text(change.value - change.change)} to '
            f'{measure.text(change.value)} {measure.unit} '
            f'({measure.change_text(change.change)}{unit}{counted})')


def _without_truth(head: Row) -> list[str]:
    flicker, means = head.means[FLICKER.key], head.means
    unknown = 'These recordings have no truth, so whether labels are right is not known.'
    if not flicker.pairs:
        return [unknown]
    words = ('flicker less', 'flicker more')[flicker.change > 0]
    if not FLICKER.verdict(flicker.change):
        words = 'flicker alike'
    return [
        f'{unknown} With {title(head.method)} and a warm-up of {head.under} labels {words}: '
        f'{_change(FLICKER, flicker)}; {_change(RELIABILITY, means[RELIABILITY.key])}.',
        *([f'{AGREEMENT.text(means[AGREEMENT.key].value)} % of the pixels are labelled as by '
           'the plain model.'] if means[AGREEMENT.key].count else [])]


def _cost(results: Results, head: Row) -> str:
    costs = []
    label, adaptation = head.means[LABEL_P50.key], head.means[ADAPTATION.key]
    if not math.isnan(adaptation.value):
        costs.append(f'{ADAPTATION.text(adaptation.value)} s of adaptation per warm-up frame')
    if label.pairs:
        costs.append(f'after it a label takes {LABEL_P50.text(label.value)} ms instead of '
                     f'{LABEL_P50.text(label.value - label.change)} ms (median)')
    memory = head.means[PEAK_MEMORY.key]
    if memory.count:
        costs.append(f'the process took up to {PEAK_MEMORY.text(memory.value)} MB'
                     + (f' ({PEAK_MEMORY.change_text(memory.change)})' if memory.pairs else ''))
    dropped = sum(outcome.dropped for outcome in results.select(head.method, head.under, None, ''))
    if dropped:
        costs.append(f'{dropped} frames were dropped')
    return f'The cost: {"; ".join(costs)}.' if costs else 'The cost was not measured.'


def _other_warm_ups(rows: dict[str, Row], head: Row) -> list[str]:
    measure = MIOU if MIOU.key in head.means else FLICKER
    others = [f'{under} {measure.change_text(each.means[measure.key].change)}'
              for under, each in rows.items()
              if each is not head and each.means[measure.key].pairs]
    if not others:
        return []
    unit = 'points' if measure.unit == '%' else measure.unit
    return [f'Other warm-ups: change of {measure.name} with {", ".join(others)} {unit}.']
