"""Which models, settings, versions and machine the figures are of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ditta_ros.evaluation.json_values import to_json
from ditta_ros.evaluation.outcome import Job
from ditta_ros.evaluation.report.results import Results, protocol

MOST_VALUES = 8  # of one entry that are listed


def provenance(results: Results) -> list[tuple[str, str]]:
    """Return names and values, in order: the run's own, then what its outcomes say.

    What differs between outcomes is listed with the methods that it is of.
    """
    entries: list[tuple[str, str]] = []
    if results.run is not None:
        run = results.run
        entries = [
            (name, value) for name, value in (
                ('command', run.command), ('started', run.started_utc), ('topic', run.topic),
                ('truth topic', run.truth_topic), ('class mapping', run.mapping)) if value]
    found: dict[str, dict[str, dict[str, None]]] = {}
    for outcome in results.outcomes:
        for name, value in _flat(to_json(outcome.provenance)):
            found.setdefault(name, {}).setdefault(value, {})[outcome.job.method] = None
    for name, values in found.items():
        if len(values) > MOST_VALUES:
            entries.append((name, f'{len(values)} different values, see report.json'))
        elif len(values) == 1:
            entries.append((name, next(iter(values))))
        else:
            entries.append((name, '; '.join(
                f'{value} ({", ".join(methods)})' for value, methods in values.items())))
    return entries


def _flat(value: Any, name: str = '') -> list[tuple[str, str]]:
    """Return the leaves of nested objects by dotted name, each as text."""
    if not isinstance(value, Mapping):
        return [(name, value if isinstance(value, str) else json.dumps(value, default=str))]
    return [leaf for key, item in value.items()
            for leaf in _flat(item, f'{name}.{key}' if name else str(key))]


def job_text(job: Job) -> str:
    """Return a job in one line, for lists of those that are missing."""
    variant = f', {job.variant}' if job.variant else ''
    return f'{job.method} on {job.source}, warm-up {protocol(job)}, seed {job.seed}{variant}'
