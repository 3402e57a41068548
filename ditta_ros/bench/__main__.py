"""``ros2 run ditta_ros bench``, ``python -m ditta_ros.bench``: see ``--help``."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ditta_ros.bench import attention, frozen, node, soak, tracker, warm_up
from ditta_ros.bench.machine import machine, versions
from ditta_ros.bench.models import check
from ditta_ros.bench.options import OptionError, parser, read
from ditta_ros.bench.report import TABLE_WIDTH, document, save, table, write_json
from ditta_ros.bench.row import Case, Row, Skipped
from ditta_ros.errors import ModelError

CASES = {
    'attention': attention.cases, 'frozen': frozen.cases, 'warm_up': warm_up.cases,
    'tracker': tracker.cases, 'node': node.cases, 'soak': soak.cases,
}
SOURCE_TREE = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report: 0 when done, 2 for options or models that do not work."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = parser().parse_args(given)
    # What was measured is shown then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console, interrupted = Console(), False
    rows: list[Row] = []
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    try:
        options = read(chosen)
        check(options)
        cases = [case for name in options.rows for case in CASES[name](options)]
        if chosen.save and not (SOURCE_TREE / 'setup.py').is_file():
            raise OptionError('--save needs a source tree of ditta_ros: give --json FILE')
        if chosen.json and not chosen.json.parent.is_dir():
            raise OptionError(f'--json must be in a folder that exists, got {str(chosen.json)!r}')
        run(cases, rows, console)
    except (ModelError, OptionError) as error:
        console.print(str(error), style='red', markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print('interrupted; what was measured:')
        interrupted = True
    about = document(
        rows, shlex.join(['bench', *given]), machine(options.device), versions())
    console.print(table(rows, about))
    if chosen.json:
        write_json(chosen.json, about)
    if chosen.save and not interrupted:
        results = SOURCE_TREE / 'test' / 'bench' / 'results'
        results.mkdir(exist_ok=True)
        save(results, about, rows)
    return 130 if interrupted else 0


def run(cases: Sequence[Case], rows: list[Row], console: Console) -> None:
    """Measure the cases in order, adding to ``rows``; one that cannot be is said so there."""
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    bars = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not bars) as progress:
        task = progress.add_task('', total=len(cases))
        for number, case in enumerate(cases, start=1):
            if not bars:
                console.print(f'[{number}/{len(cases)}] {case.title}', markup=False)

            def tick(doing: str, title: str = case.title) -> None:
                progress.update(task, description=f'{title}: {doing}')

            try:
                rows += case.measure(tick)
            except (Skipped, torch.OutOfMemoryError) as error:
                why = str(error).splitlines()[0]
                rows.append(Row(case.title, '', note=f'not measured: {why}'))
            progress.advance(task)


if __name__ == '__main__':
    sys.exit(main())
