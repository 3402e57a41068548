"""Whole runs by every engine: equal numbers, workers that are lost, runs that are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from ditta_ros.evaluation.__main__ import main
from ditta_ros.evaluation.engines import Ended, EngineError, EngineOptions, run_jobs
from ditta_ros.evaluation.outcome import Job, Outcome, Run, read_outcomes
from ditta_ros.evaluation.progress import read_progress
from evaluations import VALUES, WORLD, numbers

# Long enough to be met at work.
LONG = {**VALUES, 'adaptation.passes': 60}
JOBS = [Job(WORLD, 'iss', '25%', values=VALUES), Job(WORLD, 'ditta', '25%', values=LONG)]
PATIENCE_S = 300.0  # a machine with other work to do takes its time to import torch

needs_ray = pytest.mark.skipif(find_spec('ray') is None, reason='ray is not installed')


def run(
    folder: Path, engine: str, jobs: list[Job], tick: Callable[[], None] = lambda: None,
) -> tuple[list[Ended], list[Outcome]]:
    folder.mkdir(exist_ok=True)
    ended = list(run_jobs(Run(()), jobs, folder, EngineOptions(engine, 2), tick))
    return ended, read_outcomes(folder)


class Killer:
    """Kills the process of a job once, when it is at work."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder = folder
        self.job = job
        self.killed = False

    def __call__(self) -> None:
        told = read_progress(self.folder).get(self.job.key)
        if told is not None and not self.killed:
            os.kill(told.pid, signal.SIGKILL)
            self.killed = True


@pytest.fixture(scope='module')
def here(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The numbers of JOBS, done in processes of this machine."""
    ended, outcomes = run(tmp_path_factory.mktemp('run') / 'here', 'local', JOBS)
    assert {(each.fault, each.lost) for each in ended} == {('', False)}
    return [numbers(outcome) for outcome in outcomes]


def test_processes_of_this_machine(here: list[str]) -> None:
    assert len(here) == len(JOBS)


@needs_ray
@pytest.mark.timeout(2 * PATIENCE_S)
def test_ray_gives_the_same_numbers_though_a_worker_is_killed(
    here: list[str], tmp_path: Path,
) -> None:
    killer = Killer(tmp_path, JOBS[1])
    ended, outcomes = run(tmp_path, 'ray', JOBS, killer)
    assert killer.killed
    assert {(each.fault, each.lost) for each in ended} == {('', False)}
    assert [numbers(outcome) for outcome in outcomes] == here


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_lost_process_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    ended, outcomes = run(tmp_path, 'local', JOBS, Killer(tmp_path, JOBS[1]))
    lost, = (each for each in ended if each.lost)
    assert lost.job == JOBS[1] and 'its process ended with exit code -9' in lost.fault
    assert f'logs/{JOBS[1].key}.log' in lost.fault
    assert [outcome.job for outcome in outcomes] == [JOBS[0]]


@pytest.mark.timeout(2 * PATIENCE_S)
def test_a_fault_of_the_input_is_told_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    assert main([
        WORLD, 'world:frames=2', '--warmup', '3 frames', '--methods', 'iss', '--out',
        str(tmp_path / 'run')]) == 2
    shown = capsys.readouterr().out
    assert 'world:frames=2: a warm-up of 3 frames leaves no frame of 2 to score' in shown
    assert [each.job.source for each in read_outcomes(tmp_path / 'run')] == [WORLD]
    assert (tmp_path / 'run' / 'report.html').is_file()


@pytest.mark.timeout(2 * PATIENCE_S)
def test_only_what_is_missing_is_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    arguments = [WORLD, '--warmup', '25%,50%', '--methods', 'iss', '--out', str(tmp_path / 'run')]
    assert main(arguments) == 0
    first, second = sorted((tmp_path / 'run').glob('iss-*.json'))
    before = first.stat().st_mtime_ns, second.read_text()
    second.unlink()
    assert main(['--resume', '--out', str(tmp_path / 'run')]) == 0
    assert '1 of 2 jobs are done' in capsys.readouterr().out
    assert first.stat().st_mtime_ns == before[0]
    assert second.is_file()
    assert main(['--resume', '--out', str(tmp_path / 'run')]) == 0


@pytest.mark.timeout(2 * PATIENCE_S)
def test_an_interrupted_run_leaves_a_report_of_what_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / 'run'
    process = subprocess.Popen([
        sys.executable, '-m', 'ditta_ros.evaluation', WORLD,
        WORLD.replace('frames=8', 'frames=4000'), '--methods', 'iss', '--processes', '1', '--out',
        str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_for(lambda: read_outcomes(folder) and read_progress(folder), process)
        at_work = [told.pid for told in read_progress(folder).values()]
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 130
    assert 'interrupted' in shown and 'Traceback' not in shown
    assert [outcome.job.source for outcome in read_outcomes(folder)] == [WORLD]
    assert '1 of 2' in (folder / 'report.md').read_text()
    assert not any(Path(f'/proc/{pid}').exists() for pid in at_work)


def wait_for(there: Callable[[], object], process: subprocess.Popen) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not there():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end_s
        time.sleep(.1)


def test_without_ray_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, 'ray', None)  # as if it were not installed
    with pytest.raises(EngineError, match=r'pip install ditta_ros\[ray\]'):
        run(tmp_path, 'ray', JOBS)
