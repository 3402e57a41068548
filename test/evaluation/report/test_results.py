from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from ditta_ros.evaluation.outcome import Job, Run, write_outcome, write_run
from ditta_ros.evaluation.report.results import Results, mean, protocol, short, title
from made_outcomes import outcome

JOBS = tuple(Job(source, method, warm_up) for source in ('b', 'a')
             for method in ('ditta', 'iss') for warm_up in ('25%', '10%'))


def made(job: Job, **values: object) -> object:
    return outcome(job, warm_up_frames={'10%': 2, '25%': 5, 'full': 20}[job.warm_up], **values)


def results(*jobs: Job) -> Results:
    return Results(tuple(made(job) for job in jobs))  # type: ignore[misc]


def test_a_run_in_the_order_of_its_plan(tmp_path: Path) -> None:
    write_run(Run(JOBS), tmp_path)
    for job in reversed(JOBS[:5]):
        write_outcome(made(job), tmp_path)  # type: ignore[arg-type]
    write_outcome(made(Job('of another plan', 'iss', '10%')), tmp_path)  # type: ignore[arg-type]
    read = Results.read(tmp_path)
    assert [each.job for each in read.outcomes] == list(JOBS[:5])
    assert read.missing == JOBS[5:] and (read.planned, read.complete) == (8, False)
    assert read.unplanned == 1
    assert read.methods == ['iss', 'ditta'] and read.sources == ['b', 'a']
    assert read.protocols == ['10%', '25%']


def test_a_folder_without_a_plan(tmp_path: Path) -> None:
    write_outcome(made(JOBS[0]), tmp_path)  # type: ignore[arg-type]
    read = Results.read(tmp_path)
    assert read.complete and read.run is None and len(read.outcomes) == 1


def test_an_empty_folder(tmp_path: Path) -> None:
    read = Results.read(tmp_path)
    assert not read.complete and read.headline == '' and read.methods == []


def test_the_partner_is_the_plain_model_on_the_same_frames() -> None:
    ditta = Job('a', 'ditta', '25%', 1)
    others = (Job('b', 'iss', '25%', 1), Job('a', 'iss', '10%', 1),
              dataclasses.replace(ditta, method='iss', live_rate_hz=10.0))
    alone = results(ditta, *others)
    assert alone.partner(alone.outcomes[0]) is None
    any_seed = results(ditta, *others, Job('a', 'iss', '25%', 0))
    found = any_seed.partner(any_seed.outcomes[0])
    assert found is not None and found.job == Job('a', 'iss', '25%', 0)
    both = results(ditta, Job('a', 'iss', '25%', 0), Job('a', 'iss', '25%', 1))
    found = both.partner(both.outcomes[0])
    assert found is not None and found.job.seed == 1


def test_a_variant_prefers_the_plain_model_under_its_own_values() -> None:
    variant = Job('a', 'ditta', '25%', 0, {'tau': .5}, 'tau=0.5')
    both = results(variant, Job('a', 'iss', '25%'),
                   dataclasses.replace(variant, method='iss', seed=3))
    found = both.partner(both.outcomes[0])
    assert found is not None and found.job.variant == 'tau=0.5'


def test_the_headline_has_most_outcomes_or_is_the_shortest() -> None:
    assert results(*JOBS).headline == '10%'
    assert results(*JOBS, Job('c', 'iss', '25%')).headline == '25%'


def test_methods_in_the_order_of_reports() -> None:
    jobs = [Job('a', method, '25%') for method in ('mine', 'tent', 'true_labels', 'ditta', 'iss')]
    assert results(*jobs).methods == ['iss', 'ditta', 'tent', 'true_labels', 'mine']


def test_live_jobs_are_a_protocol_of_their_own() -> None:
    job = Job('a', 'iss', '25%', live_rate_hz=10.0)
    assert protocol(job) == '25%, live 10 Hz'
    assert results(job, Job('a', 'iss', '25%')).protocols == ['25%', '25%, live 10 Hz']


def test_names() -> None:
    assert title('ditta') == 'DiTTA' and title('mine') == 'mine'


@pytest.mark.parametrize(('sources', 'names'), [
    (['/data/drives/a.mcap'], ['a.mcap']),
    (['/data/drives/a.mcap', '/data/drives/b.mcap'], ['a.mcap', 'b.mcap']),
    (['/data/x/a', '/data/y/a'], ['x/a', 'y/a']),
    (['/data/a', '/data/a/b'], ['a', 'a/b']),
    (['world:seed=7'], ['world:seed=7']),
    (['world:seed=7', 'world:seed=8'], ['world:seed=7', 'world:seed=8'])])
def test_short_names_of_sources(sources: list[str], names: list[str]) -> None:
    assert [short(source, sources) for source in sources] == names


def test_mean_of_what_is_known() -> None:
    assert mean([1, math.nan, 3]) == 2
    assert math.isnan(mean([math.nan])) and math.isnan(mean([]))
