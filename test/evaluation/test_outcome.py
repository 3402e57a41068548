from __future__ import annotations

import dataclasses
import json
import logging
import math
from pathlib import Path

import pytest

from ditta_ros.evaluation.outcome import (
    Job,
    Latency,
    Run,
    read_outcomes,
    read_run,
    write_outcome,
    write_run,
)
from made_outcomes import outcome, without_truth

JOB = Job('world:seed=7', 'ditta', '25%', 3, {'tau': .7, 'adaptation.passes': 2}, 'tau=0.7', 10.0)


def test_an_outcome_there_and_back(tmp_path: Path) -> None:
    made = outcome(JOB, why='adapted · 5 frames', dropped=2)
    path = write_outcome(made, tmp_path)
    assert path == tmp_path / f'{JOB.key}.json'
    assert [item.name for item in tmp_path.iterdir()] == [path.name]  # nothing unfinished is left
    [read] = read_outcomes(tmp_path)
    assert repr(read) == repr(made)  # in which NaN is compared, too
    assert read.job == JOB and read.job.key == JOB.key


def test_nothing_measured_is_null(tmp_path: Path) -> None:
    path = write_outcome(without_truth(JOB, .25), tmp_path)
    made = json.loads(path.read_text())
    assert made['scores']['miou'] is None and made['calibration_error'] is None
    [read] = read_outcomes(tmp_path)
    assert math.isnan(read.scores.miou) and read.scores.flicker == .25


def test_a_job_that_is_run_again_replaces_its_outcome(tmp_path: Path) -> None:
    write_outcome(outcome(JOB, steps=1), tmp_path)
    write_outcome(outcome(JOB, steps=2), tmp_path)
    assert [read.steps for read in read_outcomes(tmp_path)] == [2]


def test_broken_files_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    other = dataclasses.replace(JOB, seed=4)
    whole = write_outcome(outcome(JOB), tmp_path).read_text()
    for digit, text in (('1', whole[:200]), ('2', '[]'), ('3', whole.replace('"frames"', '"f"')),
                        ('4', whole)):  # the last: another job's name
        (tmp_path / f'ditta-{digit * 16}.json').write_text(text)
    write_outcome(outcome(other), tmp_path)
    (tmp_path / 'report.json').write_text('{}')  # no outcome by its name
    with caplog.at_level(logging.WARNING):
        read = read_outcomes(tmp_path)
    assert sorted(each.job.seed for each in read) == [3, 4]
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert 'Outcome must be an object' in lines[1] and 'frames is missing' in lines[2]
    assert JOB.key in lines[3]
    assert all(f'ditta-{digit * 16}.json' in line and '\n' not in line
               for digit, line in zip('1234', lines, strict=True))


def test_the_plan_of_a_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_run(tmp_path) is None and not caplog.records
    run = Run((JOB, Job('bag', 'iss', 'full')), 'evaluate bag', '2026-01-02T03:04:05+00:00', '/a')
    path = write_run(run, tmp_path)
    assert read_run(tmp_path) == run
    assert read_outcomes(tmp_path) == []
    path.write_text('{')
    assert read_run(tmp_path) is None
    assert 'run.json' in caplog.text


def test_equal_jobs_have_equal_keys_and_others_others() -> None:
    jobs = [JOB, *(dataclasses.replace(JOB, **change) for change in (
        {'source': 'world:seed=8'}, {'method': 'iss'}, {'warm_up': 'full'}, {'seed': 0},
        {'values': {}}, {'variant': ''}, {'live_rate_hz': None}))]
    assert len({job.key for job in jobs}) == len(jobs)
    again = dataclasses.replace(JOB, values={'adaptation.passes': 2, 'tau': .7})
    assert again.key == JOB.key


def test_latencies_of_a_phase() -> None:
    """Bins of a factor 10 ** 0.1 from 1 ms: 10 and 12 ms share one."""
    got = Latency.of('frozen', [10.0, 12.0, 13.0, 20.0])
    assert (got.frames, got.p50_ms) == (4, 12.5)
    assert (got.p95_ms, got.p99_ms) == pytest.approx((18.95, 19.79))
    assert got.histogram_ms == ((10.0, 2), (12.5893, 1), (15.8489, 0), (19.9526, 1))


def test_latencies_of_no_frame_and_of_no_time() -> None:
    assert math.isnan(Latency.of('adapt', []).p50_ms)
    assert Latency.of('frozen', [0.0]).histogram_ms == ((.001, 1),)
