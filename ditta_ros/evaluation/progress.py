"""How far a run is: jobs tell it in files, a console shows it as bars with the time left.

Files, since they come through from a process of any engine, and leave no queue to break when
that process is killed.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from ditta_ros.evaluation.driving import LABELLING
from ditta_ros.evaluation.outcome import Job

FOLDER = 'progress'
WRITE_S = 0.3  # a job tells its progress this often at most, but every phase


@dataclass(frozen=True)
class Told:
    """What a job tells: its phase and frames, and the process that it runs in."""

    pid: int
    phase: str
    done: int
    total: int | None


class ProgressFile:
    """Keeps one job's progress in a file; it goes when the job ends."""

    def __init__(self, folder: Path, job: Job) -> None:
        self._path = folder / FOLDER / f'{job.key}.json'
        self._path.parent.mkdir(exist_ok=True)
        self._phase, self._written_s = '', 0.0

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Tell the phase, and how many frames of how many are done in it."""
        now_s = time.monotonic()
        if phase == self._phase and now_s - self._written_s < WRITE_S:
            return
        self._phase, self._written_s = phase, now_s
        unfinished = self._path.with_suffix('.unfinished')
        unfinished.write_text(json.dumps(asdict(Told(os.getpid(), phase, done, total))))
        unfinished.replace(self._path)

    def close(self) -> None:
        """Take the file away."""
        self._path.unlink(missing_ok=True)


def read_progress(folder: Path) -> dict[str, Told]:
    """Return what the jobs that run in ``folder`` tell, by key."""
    told = {}
    for path in sorted((folder / FOLDER).glob('*.json')):
        try:
            told[path.stem] = Told(**json.loads(path.read_text()))
        except FileNotFoundError:  # its job has just ended
            continue
    return told


class Bars:
    """Bars of all jobs, of each source that is at work, and of each job's phase.

    A context manager.  Where the console is no terminal, a line for each job that ends.
    """

    def __init__(self, console: Console, jobs: Sequence[Job], folder: Path) -> None:
        self._console = console
        self._jobs = {job.key: job for job in jobs}
        self._folder = folder
        self._totals = Counter(job.source for job in jobs)
        self._ended: Counter[str] = Counter()
        self._progress = Progress(
            TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(), console=console, transient=True,
            disable=not console.is_terminal)
        self._all = self._progress.add_task('all jobs', total=len(jobs))
        self._sources: dict[str, TaskID] = {}
        self._phases: dict[str, tuple[str, TaskID]] = {}  # by key of the job

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def ended(self, job: Job, fault: str) -> None:
        """Note that a job has ended; ``fault``: why without an outcome."""
        self._ended[job.source] += 1
        done = sum(self._ended.values())
        self._progress.update(self._all, completed=done)
        if fault:
            self._console.print(fault, style='red', markup=False, highlight=False, soft_wrap=True)
        elif not self._console.is_terminal:
            self._console.print(
                f'[{done}/{len(self._jobs)}] {title(job)}', markup=False, highlight=False,
                soft_wrap=True)

    def tick(self) -> None:
        """Show what the jobs tell now."""
        told = {key: each for key, each in read_progress(self._folder).items()
                if key in self._jobs}
        for key in set(self._phases) - set(told):
            self._progress.remove_task(self._phases.pop(key)[1])
        for key, each in told.items():
            self._show_phase(key, each)
        at_work: dict[str, float] = defaultdict(float)  # jobs, by how far they have labelled
        for key, each in told.items():
            labelled = each.done / each.total if each.total and each.phase == LABELLING else 0
            at_work[self._jobs[key].source] += labelled
        self._show_sources(at_work)

    def _show_phase(self, key: str, told: Told) -> None:
        shown = self._phases.get(key)
        # A phase has a pace of its own, so its estimate begins anew.
        if shown is not None and shown[0] != told.phase:
            self._progress.remove_task(shown[1])
            shown = None
        if shown is None:
            shown = (told.phase, self._progress.add_task(
                f'    {title(self._jobs[key])}: {told.phase}', total=told.total))
            self._phases[key] = shown
        self._progress.update(shown[1], completed=told.done)

    def _show_sources(self, at_work: Mapping[str, float]) -> None:
        for source in set(self._sources) - set(at_work):
            self._progress.remove_task(self._sources.pop(source))
        for source, share in at_work.items():
            if source not in self._sources:
                self._sources[source] = self._progress.add_task(
                    f'  {source}', total=self._totals[source])
            self._progress.update(
                self._sources[source], completed=self._ended[source] + share)


def title(job: Job) -> str:
    """Return a job in a few words."""
    words = [job.source, job.method, job.warm_up, job.variant, f'seed {job.seed}']
    if job.live_rate_hz is not None:
        words.append(f'live {job.live_rate_hz:g} Hz')
    return ' '.join(word for word in words if word)
