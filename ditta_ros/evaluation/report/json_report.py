"""``report.json``: every figure of the report, and each outcome whole."""

from __future__ import annotations

import json
from typing import Any

from ditta_ros.evaluation.json_values import to_json
from ditta_ros.evaluation.report.content import Content
from ditta_ros.evaluation.report.rows import Row


def as_json(content: Content) -> str:
    """Return the content as JSON; shares are in percent in tables, in 0..1 in the outcomes."""
    results = content.results
    return json.dumps({
        'summary': content.summary,
        'notes': content.notes,
        'complete': results.complete,
        'jobs': {'finished': len(results.outcomes), 'planned': results.planned,
                 'missing': content.missing},
        'measures': [{'key': each.key, 'name': each.name, 'unit': each.unit,
                      'better': each.better, 'about': each.about} for each in content.measures],
        'methods': [_row(row) for row in content.methods],
        'variants': [_row(row) for row in content.variants],
        'classes': to_json(content.classes),
        'provenance': dict(content.provenance),
        'outcomes': to_json(results.outcomes),
    }, indent=1, allow_nan=False) + '\n'


def _row(row: Row) -> dict[str, Any]:
    return {'method': row.method, 'variant': row.variant, 'warm_up': row.under,
            'outcomes': row.count, 'means': to_json(row.means)}
