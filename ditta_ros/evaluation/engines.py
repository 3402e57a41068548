"""Where jobs run: in processes of this machine, or as tasks of a Ray cluster.

Either way a job has a process of its own, with one thread, and writes its outcome itself; so its
memory is measured alone, its end is nobody else's, and its numbers are the same everywhere.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from ditta_ros.class_files import ClassFileError
from ditta_ros.errors import ModelError, one_line
from ditta_ros.evaluation.bags import BagError
from ditta_ros.evaluation.baselines import MethodError
from ditta_ros.evaluation.metrics import LabelError
from ditta_ros.evaluation.outcome import Job, Run, write_outcome
from ditta_ros.evaluation.processes import end_with_parent
from ditta_ros.evaluation.progress import ProgressFile, title
from ditta_ros.evaluation.run_job import run_job
from ditta_ros.evaluation.source import SourceError
from ditta_ros.settings import SettingError

ENGINES = ('local', 'ray')
LOGS = 'logs'
TICK_S = 0.3
RETRIES = 3  # of a Ray task whose worker was lost
INPUT_FAULTS = (
    BagError, ClassFileError, LabelError, MethodError, ModelError, SettingError, SourceError)

_log = logging.getLogger(__name__)


class EngineError(ValueError):
    """An engine is not there; the message says what to install or to start."""


@dataclass(frozen=True)
class EngineOptions:
    """``processes``: jobs at a time here; ``gpus_per_task``: the share of a GPU, on Ray."""

    engine: str = 'local'
    processes: int = 1
    gpus_per_task: float = 0.0


@dataclass(frozen=True)
class Task:
    """A job with what its process needs to know; ``cwd``: what its paths are relative to."""

    job: Job
    run: Run
    folder: str
    cwd: str


@dataclass(frozen=True)
class Ended:
    """A job that has ended: with an outcome, with a fault of its input, or lost."""

    job: Job
    fault: str = ''
    lost: bool = False


def run_jobs(
    run: Run, jobs: Sequence[Job], folder: Path, options: EngineOptions,
    tick: Callable[[], None],
) -> Generator[Ended, None, None]:
    """Do the jobs; yield each as it ends, its outcome written, and call ``tick`` meanwhile.

    Closing the generator ends what still runs.  Raises EngineError.
    """
    # Of the run a task needs how sources are read; all jobs with each task would be many.
    reading = Run((), topic=run.topic, truth_topic=run.truth_topic, mapping=run.mapping)
    tasks = [Task(job, reading, str(folder.resolve()), str(Path.cwd())) for job in jobs]
    if options.engine == 'ray':
        return _run_on_ray(tasks, options, tick)
    return _run_here(tasks, options.processes, tick)


def run_task(task: Task) -> str:
    """Do a job in this process, which is its alone; return what is wrong with its input, or ''."""
    os.chdir(task.cwd)
    torch.set_num_threads(1)
    folder = Path(task.folder)
    _log_to(folder / LOGS / f'{task.job.key}.log')
    tell = ProgressFile(folder, task.job)
    try:
        outcome = run_job(task.job, task.run, folder, tell)
        write_outcome(outcome, folder)
    except INPUT_FAULTS as error:
        _log.error('%s', error)
        return one_line(error)
    except Exception:  # none is expected: told in the job's log as well, and raised
        _log.exception('a fault of the program')
        raise
    finally:
        tell.close()
    return ''


def _log_to(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    logging.basicConfig(
        filename=path, filemode='w', level=logging.INFO, force=True,
        format='%(asctime)s %(levelname)s %(name)s: %(message)s')


def _run_here(
    tasks: Sequence[Task], processes: int, tick: Callable[[], None],
) -> Generator[Ended, None, None]:
    waiting = deque(tasks)
    running: dict[Any, tuple[Task, BaseProcess, Connection]] = {}  # by what answers
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                task = waiting.popleft()
                answer, process = _start(task)
                running[answer] = task, process, answer
            for ready in wait(list(running), TICK_S):
                yield _ended(*running.pop(ready))
            tick()
    finally:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.join()


def _start(task: Task) -> tuple[Connection, BaseProcess]:
    context = get_context('spawn')  # torch's threads do not survive a fork
    answer, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(task, theirs))
    # A terminal's Ctrl-C is for this process, which then ends the others; they inherit the mask.
    resource_tracker.ensure_running()  # else started by start(), which then lifts the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return answer, process


def _answer(task: Task, answer: Connection) -> None:
    end_with_parent()
    answer.send(run_task(task))


def _ended(task: Task, process: BaseProcess, answer: Connection) -> Ended:
    try:
        fault = answer.recv()
    except EOFError:
        process.join()
        return _lost(task, f'its process ended with exit code {process.exitcode}')
    finally:
        answer.close()
    process.join()
    return Ended(task.job, fault)


def _lost(task: Task, how: str) -> Ended:
    """A job without an answer: a fault of the program, or killed, most often for memory."""
    return Ended(task.job, (
        f'{title(task.job)}: {how}: see {task.folder}/{LOGS}/{task.job.key}.log; where memory was '
        'short, give fewer --processes'), lost=True)


def _run_on_ray(
    tasks: Sequence[Task], options: EngineOptions, tick: Callable[[], None],
) -> Generator[Ended, None, None]:
    ray = _started_ray(options.processes)
    # max_calls: a process for each job, as here.
    remote = ray.remote(
        num_cpus=1, num_gpus=options.gpus_per_task, max_retries=RETRIES, max_calls=1)(run_task)
    running = {remote.remote(task): task for task in tasks}
    try:
        while running:
            for reference in ray.wait(list(running), timeout=TICK_S)[0]:
                task = running.pop(reference)
                try:
                    yield Ended(task.job, ray.get(reference))
                except ray.exceptions.RayError as error:
                    yield _lost(task, one_line(error))
            tick()
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        ray.shutdown()


def _started_ray(processes: int) -> Any:
    """Return the module ``ray``, connected to the cluster of RAY_ADDRESS or to one begun here."""
    try:
        import ray
    except ImportError:
        raise EngineError(
            '--engine ray needs Ray, which is not installed: pip install ditta_ros[ray]') from None
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    here: dict[str, Any] = {} if 'RAY_ADDRESS' in os.environ else {
        'address': 'local', 'num_cpus': processes, 'include_dashboard': False}
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **here)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise EngineError(f'--engine ray: no cluster: {one_line(error)}') from None
    signal.signal(signal.SIGTERM, before)  # Ray has its own, which skips the report
    return ray
