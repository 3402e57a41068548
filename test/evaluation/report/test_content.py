from __future__ import annotations

import math

import pytest

from ditta_ros.evaluation.outcome import Job, Run
from ditta_ros.evaluation.report.content import Content
from ditta_ros.evaluation.report.provenance import MOST_VALUES, job_text, provenance
from ditta_ros.evaluation.report.results import Results
from made_outcomes import outcome, scores, without_truth

JOB = Job('a', 'ditta', '25%')
ISS = Job('a', 'iss', '25%')


def notes(*outcomes: object, **values: object) -> list[str]:
    results = Results(tuple(outcomes), **{'run': Run(()), **values})  # type: ignore[arg-type]
    return list(Content.of(results).notes)


def test_a_whole_run_needs_no_note() -> None:
    assert notes(outcome(JOB), outcome(ISS)) == []


@pytest.mark.parametrize(('values', 'says'), [
    ({'missing': (ISS,)}, 'partial: 1 of 2 jobs have finished'),
    ({'run': None}, 'no readable run.json'),
    ({'unplanned': 3}, '3 outcomes in the folder are of another plan')])
def test_what_is_not_whole(values: dict, says: str) -> None:
    [note] = notes(outcome(JOB), **values)
    assert says in note


def test_losses_are_said() -> None:
    blind = without_truth(Job('b', 'iss', '25%'), .1, skipped=2)
    first, second = notes(outcome(JOB), blind)
    assert first.startswith('1 of 2 sources have no truth')
    assert second == 'b: 2 frames could not be read and were skipped.'


def test_adaptation_that_came_to_nothing() -> None:
    idle = outcome(JOB, promoted=False, why='no object was tracked')
    assert notes(idle, outcome(Job('b', 'ditta', '25%'))) == [
        'DiTTA put nothing in force in 1 of 2 jobs: no object was tracked.']


def test_what_differs_is_listed_by_method() -> None:
    run = Run((), 'evaluate a', topic='/front')
    made = Results((
        outcome(ISS, provenance={'settings': {'tau': .8, 'passes': 5}, 'device': 'cpu'}),
        outcome(JOB, provenance={'settings': {'tau': .7, 'passes': 5}, 'device': 'cpu'})), run)
    assert provenance(made) == [
        ('command', 'evaluate a'), ('topic', '/front'), ('settings.tau', '0.8 (iss); 0.7 (ditta)'),
        ('settings.passes', '5'), ('device', 'cpu')]


def test_what_differs_everywhere_is_counted() -> None:
    made = [outcome(Job(f's{index}', 'iss', '25%'), provenance={'stamp_ns': index})
            for index in range(MOST_VALUES + 1)]
    assert provenance(Results(tuple(made))) == [
        ('stamp_ns', f'{MOST_VALUES + 1} different values, see report.json')]


def test_a_job_in_words() -> None:
    job = Job('bag', 'ditta', '5 s', 2, {'tau': .7}, 'tau=0.7', 10.0)
    assert job_text(job) == 'ditta on bag, warm-up 5 s, live 10 Hz, seed 2, tau=0.7'


def test_columns_that_are_empty_are_left_out() -> None:
    made = outcome(ISS, scores(mvc16=math.nan))
    keys = [measure.key for measure in Content.of(Results((made,))).measures]
    assert 'mvc16' not in keys and keys[:3] == ['miou', 'wiou', 'mvc8']
