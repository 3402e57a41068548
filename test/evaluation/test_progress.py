"""How far jobs are: told in files, shown as bars or, where there is no terminal, as lines."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from ditta_ros.evaluation.outcome import Job
from ditta_ros.evaluation.progress import Bars, ProgressFile, Told, read_progress, title

JOBS = [Job('drive.mp4', 'iss', '10%'), Job('drive.mp4', 'ditta', '10%'),
        Job('other.mp4', 'ditta', 'full', 3, variant='tau=0.7', live_rate_hz=10.0)]


def shown(folder: Path, terminal: bool, tell) -> str:
    """What a console shows in the end of what ``tell`` does with the bars."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, legacy_windows=False)
    with Bars(console, JOBS, folder) as bars:
        tell(bars)
        bars._progress.refresh()
    return text.getvalue()


def test_a_job_tells_every_phase_and_is_silent_in_the_end(tmp_path: Path) -> None:
    tell = ProgressFile(tmp_path, JOBS[0])
    assert read_progress(tmp_path) == {}
    tell('warming up', 1, 40)
    assert read_progress(tmp_path) == {JOBS[0].key: Told(os.getpid(), 'warming up', 1, 40)}
    tell('learning', 0, None)
    assert read_progress(tmp_path) == {JOBS[0].key: Told(os.getpid(), 'learning', 0, None)}
    tell.close()
    assert read_progress(tmp_path) == {}


def test_bars_of_all_jobs_of_a_source_and_of_a_phase(tmp_path: Path) -> None:
    def tell(bars: Bars) -> None:
        ProgressFile(tmp_path, JOBS[1])('labelling', 20, 40)
        bars.ended(JOBS[0], '')
        bars.tick()

    lines = [line for line in shown(tmp_path, True, tell).splitlines() if 'drive.mp4' in line]
    assert any('drive.mp4 ditta 10% seed 0: labelling' in line and '20/40' in line
               for line in lines)
    # Of the source's two jobs one is done and one half way: 1.5.
    assert any(line.strip().startswith('drive.mp4 ') and '1/2' in line for line in lines)


def test_a_phase_that_ended_is_not_shown_on(tmp_path: Path) -> None:
    def tell(bars: Bars) -> None:
        told = ProgressFile(tmp_path, JOBS[1])
        told('learning', 1, 5)
        bars.tick()
        told('labelling', 7, 40)
        bars.tick()
        assert [task.description for task in bars._progress.tasks if task.total == 5] == []
        told.close()
        bars.tick()
        assert [task.description for task in bars._progress.tasks] == ['all jobs']

    shown(tmp_path, True, tell)


def test_a_line_for_each_job_where_there_is_no_terminal(tmp_path: Path) -> None:
    def tell(bars: Bars) -> None:
        bars.ended(JOBS[0], '')
        bars.ended(JOBS[2], 'other.mp4: cannot be read as a video')

    assert shown(tmp_path, False, tell).splitlines() == [
        '[1/3] drive.mp4 iss 10% seed 0', 'other.mp4: cannot be read as a video']


@pytest.mark.parametrize(('job', 'words'), [
    (JOBS[0], 'drive.mp4 iss 10% seed 0'),
    (JOBS[2], 'other.mp4 ditta full tau=0.7 seed 3 live 10 Hz')])
def test_titles(job: Job, words: str) -> None:
    assert title(job) == words
