"""All that a report says, before it is put into a format."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from ditta_ros.evaluation.report.measures import Measure
from ditta_ros.evaluation.report.provenance import job_text, provenance
from ditta_ros.evaluation.report.results import Results, has_truth, title
from ditta_ros.evaluation.report.rows import (
    ClassRow,
    Row,
    class_rows,
    measures,
    method_rows,
    variant_rows,
)
from ditta_ros.evaluation.report.summary import summarise

MOST_REASONS = 5  # for which nothing was put in force, that are listed


@dataclass(frozen=True)
class Content:
    """Sentences, tables and notes; plots and pictures are the HTML's alone."""

    results: Results
    summary: tuple[str, ...]
    notes: tuple[str, ...]  # what a reader has to know of the figures: a partial run, losses
    missing: tuple[str, ...]  # jobs without an outcome
    measures: tuple[Measure, ...]  # that any outcome has
    methods: tuple[Row, ...]
    variants: tuple[Row, ...]
    classes: tuple[ClassRow, ...]  # at the headline protocol
    provenance: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, results: Results) -> Content:
        """Work out what there is to say of ``results``."""
        return cls(
            results, tuple(summarise(results)), tuple(_notes(results)),
            tuple(job_text(job) for job in results.missing),
            tuple(each for each in measures(results) if _measured(each, results)),
            tuple(method_rows(results)), tuple(variant_rows(results)),
            tuple(class_rows(results, results.headline)), tuple(provenance(results)))


def _measured(measure: Measure, results: Results) -> bool:
    return any(not math.isnan(measure.of(outcome)) for outcome in results.outcomes)


def _notes(results: Results) -> list[str]:
    outcomes, notes = results.outcomes, []
    if results.missing:
        notes.append(
            f'This report is partial: {len(outcomes)} of {results.planned} jobs have finished. '
            'Means are over those that have; changes are over pairs on the same frames.')
    if results.run is None:
        notes.append('There is no readable run.json, so it is not known whether the run is whole.')
    if results.unplanned:
        notes.append(f'{results.unplanned} outcomes in the folder are of another plan and are '
                     'left out.')
    blind = [source for source in results.sources if not has_truth(results.select(source=source))]
    if blind and len(blind) < len(results.sources):
        notes.append(f'{len(blind)} of {len(results.sources)} sources have no truth: they count '
                     'in flicker, reliability and agreement alone.')
    skipped = {outcome.job.source: outcome.skipped for outcome in outcomes if outcome.skipped}
    notes.extend(f'{source}: {count} frames could not be read and were skipped.'
                 for source, count in skipped.items())
    idle = Counter((outcome.job.method, outcome.why) for outcome in outcomes
                   if outcome.job.method == 'ditta' and not outcome.promoted)
    notes.extend(f'{title(method)} put nothing in force in {count} of '
                 f'{len(results.select(method))} jobs: {why}.'
                 for (method, why), count in idle.most_common(MOST_REASONS))
    return notes
