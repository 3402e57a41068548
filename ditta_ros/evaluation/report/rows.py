"""The tables' contents: means over sources and seeds, and their change against the plain model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import stdev

from ditta_ros.evaluation.outcome import Outcome
from ditta_ros.evaluation.report.measures import OF_COST, OF_LABELS, WITH_TRUTH, Measure
from ditta_ros.evaluation.report.results import ISS, Results, has_truth, mean


@dataclass(frozen=True)
class Mean:
    """A figure over several outcomes, in its measure's unit; NaN where there is none.

    ``change`` is against the plain model, the mean over ``pairs`` of outcomes on the same frames;
    ``error`` is the standard error of that mean, NaN with fewer than two pairs.
    """

    value: float
    count: int
    change: float = math.nan
    pairs: int = 0  # sources; their seeds are averaged
    error: float = math.nan
    better: int = 0  # pairs that changed for the better

    @property
    def clear(self) -> bool:
        """Whether the change is more than twice its standard error, over three pairs or more."""
        return self.pairs >= 3 and abs(self.change) > 2 * self.error


@dataclass(frozen=True)
class Row:
    """One method, or a variant of it, under one protocol."""

    method: str
    variant: str
    under: str
    count: int  # outcomes: sources times seeds
    means: dict[str, Mean]  # by the measure's key


def mean_of(
    results: Results, outcomes: Sequence[Outcome], of: Callable[[Outcome], float],
    better: str = '',
) -> Mean:
    """Return the mean of a figure and of its paired change against the plain model."""
    known = [value for value in map(of, outcomes) if not math.isnan(value)]
    by_source: dict[str, list[float]] = {}
    for outcome in outcomes:
        iss = results.partner(outcome)
        if iss is not None and outcome.job.method != ISS:
            change = of(outcome) - of(iss)
            if not math.isnan(change):
                by_source.setdefault(outcome.job.source, []).append(change)
    # Seeds of one source are no streams of their own.
    changes = [mean(each) for each in by_source.values()]
    return Mean(
        mean(known), len(known), mean(changes), len(changes),
        stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else math.nan,
        sum(change * (-1 if better == 'lower' else 1) > 0 for change in changes))


def measures(results: Results) -> tuple[Measure, ...]:
    """Return what can be said of the results: of truth only where some source has it."""
    return (*(WITH_TRUTH if has_truth(results.outcomes) else ()), *OF_LABELS, *OF_COST)


def row(results: Results, outcomes: Sequence[Outcome], under: str) -> Row:
    """Return the means over ``outcomes``, which are of one method, variant and protocol."""
    job = outcomes[0].job
    return Row(job.method, job.variant, under, len(outcomes), {
        measure.key: mean_of(results, outcomes, measure.of, measure.better)
        for measure in measures(results)})


def method_rows(results: Results) -> list[Row]:
    """Return the table of methods: protocol by protocol, the plain model first in each."""
    return [
        row(results, chosen, under) for under in results.protocols for method in results.methods
        if (chosen := results.select(method, under, variant=''))]


def variant_rows(results: Results) -> list[Row]:
    """Return the same of what ablations changed, in the order of the plan."""
    groups = dict.fromkeys(
        (outcome.job.method, outcome.job.variant) for outcome in results.outcomes
        if outcome.job.variant and outcome.job.method != ISS)
    return [
        row(results, chosen, under) for under in results.protocols for method, variant in groups
        if (chosen := results.select(method, under, variant=variant))]


@dataclass(frozen=True)
class ClassRow:
    """IoU of one class, in percent, by method."""

    name: str
    means: dict[str, Mean]


def class_rows(results: Results, under: str) -> list[ClassRow]:
    """Return the classes that have truth, in index order, under one protocol.

    Outcomes whose classes are not those of the first are left out.
    """
    outcomes = results.select(under=under, variant='')
    if not has_truth(outcomes):
        return []
    names = outcomes[0].class_names
    alike = [outcome for outcome in outcomes if outcome.class_names == names]
    rows = []
    for index, name in enumerate(names):
        def iou(outcome: Outcome, index: int = index) -> float:
            values = outcome.scores.class_iou
            return 100 * values[index] if index < len(values) else math.nan
        means = {method: mean_of(results, chosen, iou, 'higher') for method in results.methods
                 if (chosen := [each for each in alike if each.job.method == method])}
        if any(each.count for each in means.values()):
            rows.append(ClassRow(name, means))
    return rows
