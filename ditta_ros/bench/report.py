"""The rows of a run as a table and as JSON, with where and when they were measured."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ditta_ros.bench.row import Row

TABLE_WIDTH = 150
MET = {True: 'yes', False: 'NO', None: ''}


def document(
    rows: Sequence[Row], command: str, machine: dict[str, Any], versions: dict[str, str],
) -> dict[str, Any]:
    """Return all that is known of a run, as JSON holds it."""
    return {
        'date': datetime.now(timezone.utc).isoformat(timespec='minutes'),
        'command': command,
        'machine': machine,
        'versions': versions,
        'rows': [row.as_json() for row in rows],
    }


def table(rows: Sequence[Row], about: dict[str, Any]) -> Table:
    """Return the rows under a title that says where and when; ``about`` is the document."""
    made = Table(title=_title(about), title_justify='left', show_lines=False)
    for name in ('what', 'setting', 'against'):
        made.add_column(name, overflow='fold')
    for name in ('ours', 'theirs', 'ratio', 'bar', 'met'):
        made.add_column(name, justify='right', no_wrap=name != 'ratio')
    for row in rows:
        if row.ours is None:
            made.add_row(row.name, row.setting, row.note)
            continue
        made.add_row(
            row.name, row.setting, row.against, _value(row.ours, row.unit),
            _value(row.theirs, row.unit), _ratio(row), _bar(row), MET[row.met])
    return made


def save(folder: Path, about: dict[str, Any], rows: Sequence[Row]) -> tuple[Path, Path]:
    """Write ``DATE_DEVICE.json`` and the table as ``.txt`` into ``folder``; return both paths."""
    machine = about['machine']
    device = re.sub(r'[^a-z0-9]+', '-', str(machine.get('gpu', machine['device'])).lower())
    stem = f'{about["date"][:10]}_{device.strip("-")}'
    as_json, as_text = folder / f'{stem}.json', folder / f'{stem}.txt'
    write_json(as_json, about)
    with as_text.open('w', encoding='utf-8') as file:
        Console(file=file, width=TABLE_WIDTH).print(table(rows, about))
    return as_json, as_text


def write_json(path: Path, about: dict[str, Any]) -> None:
    """Write the document."""
    path.write_text(json.dumps(about, indent=1) + '\n', encoding='utf-8')


def _title(about: dict[str, Any]) -> str:
    machine, versions = about['machine'], about['versions']
    where = machine.get('gpu') or (
        f'{machine["cpu"]}, {machine["threads"]} threads')
    libraries = ', '.join(
        f'{name} {versions[name]}' for name in ('torch', 'transformers', 'sam2'))
    return f'{about["date"]} · {where} · {libraries}'


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ''
    digits = f'{value:.3g}' if abs(value) < 1000 else f'{value:.0f}'
    return f'{digits} {unit}'.strip()


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return ''
    text = f'{_value(row.ratio, "")}{" x less" if row.gain else ""}'
    if row.spread is None or row.spread[0] == row.spread[1]:
        return text
    low, high = (_value(value, '') for value in row.spread)
    return f'{text} ({low}..{high})'


def _bar(row: Row) -> str:
    return f'{row.bar} (ours)' if row.bar and row.bar_on == 'ours' else row.bar
