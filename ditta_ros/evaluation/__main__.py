"""``ros2 run ditta_ros evaluate``, ``python -m ditta_ros.evaluation``: see ``--help``."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from rich.console import Console

from ditta_ros.evaluation import progress
from ditta_ros.evaluation.command import OptionError, Plan, parser, read
from ditta_ros.evaluation.engines import INPUT_FAULTS, Ended, EngineError, run_jobs
from ditta_ros.evaluation.outcome import read_outcomes, write_run
from ditta_ros.evaluation.report import write_bag, write_report
from ditta_ros.evaluation.report.results import Results
from ditta_ros.evaluation.report.strips import first_of_each_method
from ditta_ros.ros.interrupts import raise_on_interrupt

DONE, LOST, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and report.

    0: done; 1: a job was lost; 2: options, models or sources that do not work; 130: interrupted.
    Whatever has ended by then is in the report.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(given)
    console = Console()
    ended: list[Ended] = []
    with _interruptible():
        try:
            plan = read(options, given)
            begin(plan)
            evaluate(plan, console, ended)
        except (*INPUT_FAULTS, OptionError, EngineError) as error:
            _complain(console, str(error))
            return BAD_INPUT
        except KeyboardInterrupt:
            console.print('interrupted')
            code = INTERRUPTED
        else:
            code = exit_code(ended)
        try:
            report(plan, console)
            if plan.bags and code != INTERRUPTED:
                write_bags(plan, console)
        except INPUT_FAULTS as error:
            _complain(console, str(error))
            return BAD_INPUT
    return code


def begin(plan: Plan) -> None:
    """Make the run's folder, and say in it what is planned; raises OptionError."""
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        # What jobs that were killed have left would be shown as if they ran.
        shutil.rmtree(plan.folder / progress.FOLDER, ignore_errors=True)
        write_run(plan.run, plan.folder)
    except OSError as error:
        raise OptionError(f'--out {plan.folder}: cannot be written: {error}') from None


def evaluate(plan: Plan, console: Console, ended: list[Ended]) -> None:
    """Do the jobs that have no outcome yet, adding to ``ended`` as they end."""
    there = {outcome.job.key for outcome in read_outcomes(plan.folder)} if plan.resume else set()
    jobs = [job for job in plan.run.jobs if job.key not in there]
    if there:
        console.print(f'{len(plan.run.jobs) - len(jobs)} of {len(plan.run.jobs)} jobs are done')
    with (
        progress.Bars(console, jobs, plan.folder) as bars,
        closing(run_jobs(plan.run, jobs, plan.folder, plan.engine, bars.tick)) as results,
    ):
        for each in results:
            ended.append(each)
            bars.ended(each.job, each.fault)


def exit_code(ended: Sequence[Ended]) -> int:
    """Return what the jobs' ends amount to."""
    if any(each.fault and not each.lost for each in ended):
        return BAD_INPUT
    return LOST if any(each.lost for each in ended) else DONE


def report(plan: Plan, console: Console) -> None:
    """Write the report of the outcomes that there are; say what it says first, and where it is."""
    if not read_outcomes(plan.folder):
        console.print('no job came to its end, so there is nothing to report')
        return
    written = write_report(plan.folder)
    for line in (*written.summary, *(
            f'report  {path}' for path in (written.html, written.markdown, written.json))):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def write_bags(plan: Plan, console: Console) -> None:
    """Write images, masks and overlays of each source to a bag of its own, to look at."""
    results = Results.read(plan.folder)
    sources = [name for name in results.sources if first_of_each_method(results, name)]
    for number, source in enumerate(sources, start=1):
        path = plan.folder / 'bags' / f'{number:03}'
        if path.exists():  # of the run that this one goes on with
            shutil.rmtree(path)
        write_bag(plan.folder, path, source)
        console.print(f'bag  {path}  {source}', markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt; the report is written in peace."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    raise_on_interrupt()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _complain(console: Console, fault: str) -> None:
    console.print(fault, style='red', markup=False, highlight=False, soft_wrap=True)


if __name__ == '__main__':
    sys.exit(main())
