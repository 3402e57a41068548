"""The result of a soak as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from rich.table import Table

from ditta_ros.soak.result import Result

TABLE_WIDTH = 150


def table(result: Result, title: str) -> Table:
    """Return the one table, under a title that says where and when."""
    made = Table(title=title, title_justify='left')
    for name in ('what', 'how many', 'what came of it'):
        made.add_column(name, overflow='fold')
    made.add_column('well', no_wrap=True)
    for line in result.lines():
        made.add_row(line.what, line.how_many, line.came_of_it, 'yes' if line.well else 'NO')
    return made


def write_json(result: Result, title: str, path: Path) -> None:
    """Write all that was found."""
    path.write_text(
        json.dumps({'title': title, **result.as_json()}, indent=1) + '\n', encoding='utf-8')
