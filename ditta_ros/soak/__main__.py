"""``make soak``, ``python -m ditta_ros.soak``: see ``--help``."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from rich.console import Console
from rich.status import Status

from ditta_ros.bench.machine import machine
from ditta_ros.soak import streams
from ditta_ros.soak.fault import Fault
from ditta_ros.soak.fuzz import fuzz
from ditta_ros.soak.hostile import READERS
from ditta_ros.soak.kills import kill
from ditta_ros.soak.options import OptionError, Options, parser, read
from ditta_ros.soak.plot import write_plot
from ditta_ros.soak.report import TABLE_WIDTH, table, write_json
from ditta_ros.soak.result import Result
from ditta_ros.soak.tick import Tick

T = TypeVar('T')
Part = tuple[str, Callable[[Result, Tick], None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak and report: 0 where all is well, 1 where it is not, 2 for options that do not work."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # What was found is shown then, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console, result, interrupted = Console(), Result(), False
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    try:
        options = read(parser().parse_args(given))
        options.out.mkdir(parents=True, exist_ok=True)
    except (OptionError, OSError) as error:
        console.print(str(error), style='red', markup=False, highlight=False, soft_wrap=True)
        return 2
    try:
        run(parts(options), result, console)
    except KeyboardInterrupt:
        console.print('interrupted; what was found:')
        interrupted = True
    title = _title(given)
    console.print(table(result, title))
    write_json(result, title, options.out / 'soak.json')
    if result.streams:
        write_plot([each.memory for each in result.streams], options.out / 'memory.png')
        console.print(f'{options.out / "memory.png"}: resident memory', highlight=False)
    return 130 if interrupted else int(not result.well)


def parts(options: Options) -> Iterator[Part]:
    """Yield title and doing of each part that is asked for.

    The streams come first: what others leave in this process would be in their memory.
    """
    if options.frames:
        yield 'frames', lambda result, tick: result.streams.append(
            streams.label_for_long(options.frames, tick))
    if options.warm_ups:
        yield 'warm-ups', lambda result, tick: result.streams.append(
            streams.warm_up_often(options.warm_ups, tick))
    if options.faults:
        yield 'faults', lambda result, tick: result.faults.extend(
            _in_a_folder(lambda folder: _inject(folder, tick)))
    if options.kills:
        yield 'kills', lambda result, tick: result.killed.append(
            _in_a_folder(lambda folder: kill(options.kills, options.seed, folder, tick)))
    share, rest = divmod(options.inputs, len(READERS))
    for index, reader in enumerate(READERS if options.inputs else ()):
        inputs = share + (index < rest)
        yield f'inputs: {reader}', partial(_fuzz, reader, inputs, options.seed)


def run(asked: Iterator[Part], result: Result, console: Console) -> None:
    """Do the parts in order, adding to ``result``."""
    for title, do in asked:
        if not console.is_terminal:
            console.print(title, markup=False)
        with console.status(title) as status:
            do(result, partial(_show, status, title))


def _fuzz(reader: str, inputs: int, seed: int, result: Result, tick: Tick) -> None:
    result.fuzzed.append(fuzz(reader, inputs, seed, tick))


def _show(status: Status, title: str, doing: str) -> None:
    status.update(f'{title}: {doing}')


def _inject(folder: Path, tick: Tick) -> list[Fault]:
    # Here, since no other part needs DDS.
    from ditta_ros.soak.faults import inject
    return inject(folder, tick)


def _in_a_folder(do: Callable[[Path], T]) -> T:
    with TemporaryDirectory() as folder:
        return do(Path(folder))


def _title(given: Sequence[str]) -> str:
    where = machine(torch.device('cpu'))
    return (f'{datetime.now(timezone.utc).isoformat(timespec="minutes")} · {where["cpu"]}, '
            f'{where["threads"]} threads · {shlex.join(["soak", *given])}')


if __name__ == '__main__':
    sys.exit(main())
