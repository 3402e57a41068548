"""Which jobs there are, counted by hand; ablations and values from texts."""

from __future__ import annotations

import pytest

from ditta_ros.evaluation.plan import checked_values, make_jobs, parse_ablation
from ditta_ros.settings import SettingError


def test_all_that_are_compared_stand_side_by_side() -> None:
    jobs = make_jobs(['a', 'b'], ['iss', 'ditta'], ['10%', 'full'], [0, 1], {'tau': .7})
    assert len(jobs) == 2 * 2 * 2 * 2
    assert [(job.source, job.warm_up, job.seed, job.method) for job in jobs[:5]] == [
        ('a', '10%', 0, 'iss'), ('a', '10%', 0, 'ditta'), ('a', '10%', 1, 'iss'),
        ('a', '10%', 1, 'ditta'), ('a', 'full', 0, 'iss')]
    assert {job.values['tau'] for job in jobs} == {.7}
    assert len({job.key for job in jobs}) == len(jobs)


def test_what_is_named_twice_is_done_once() -> None:
    assert len(make_jobs(['a', 'a'], ['iss'], ['10%', '10%'], [0, 0], {})) == 1


def test_the_plain_model_runs_with_the_variants_that_it_can_see() -> None:
    variants = [*parse_ablation('tau=0.7,0.9'), *parse_ablation('segmenter.max_side_px=64')]
    jobs = make_jobs(['a'], ['iss', 'ditta'], ['10%'], [0], {'tau': .5}, variants)
    assert [(job.method, job.variant, job.values) for job in jobs] == [
        ('iss', '', {'tau': .5}),
        ('iss', 'segmenter.max_side_px=64', {'tau': .5, 'segmenter.max_side_px': 64}),
        ('ditta', '', {'tau': .5}),
        ('ditta', 'tau=0.7', {'tau': .7}),
        ('ditta', 'tau=0.9', {'tau': .9}),
        ('ditta', 'segmenter.max_side_px=64', {'tau': .5, 'segmenter.max_side_px': 64})]


@pytest.mark.parametrize(('text', 'name', 'values'), [
    ('lambda_area=0.1:1.0:0.1', 'targets.lambda_area',
     [.1, .2, .3, .4, .5, .6, .7, .8, .9, 1.0]),
    ('targets.lambda_freq=0.8', 'targets.lambda_freq', [.8]),
    ('adaptation.passes=1:5:2', 'adaptation.passes', [1, 3, 5]),
    ('adaptation.passes=1:6:2', 'adaptation.passes', [1, 3, 5]),
    ('distill_on=logits, probabilities', 'adaptation.distill_on', ['logits', 'probabilities']),
    ('tau=0:0:1', 'tau', [0.0]),
])
def test_ablations(text: str, name: str, values: list) -> None:
    assert parse_ablation(text) == [(f'{name}={value}', {name: value}) for value in values]


@pytest.mark.parametrize(('text', 'says'), [
    ('tau', '--ablate takes NAME=from:to:step or NAME=a,b,c'),
    ('tau=', '--ablate takes NAME=from:to:step or NAME=a,b,c'),
    ('tau=0.1:0.9', 'from <= to, a step above 0'),
    ('tau=0.9:0.1:0.1', 'from <= to, a step above 0'),
    ('tau=0.1:0.9:0', 'from <= to, a step above 0'),
    ('tau=0:1:1e-9', '1000 steps at most'),
    ('tau=0:inf:1', 'from <= to'),
    ('tau=a:b:c', 'from <= to'),
    ('tau=0.5,1.5', 'tau must be <= 1'),
    ('passes=1.5', "adaptation.passes must be int, got '1.5'"),
    ('model=x', 'is segmenter.model or tracker.model'),
    ('lambda=1', "one parameter, got 'lambda', which is none"),
    ('warm_up.amount=5,10', 'warm_up.amount is set by --warmup here'),
])
def test_what_is_no_ablation(text: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        parse_ablation(text)


def test_values_that_others_set_are_refused() -> None:
    assert checked_values(['tau=0.5', 'adaptation.passes=2']) == {
        'tau': .5, 'adaptation.passes': 2}
    with pytest.raises(SettingError, match='adaptation.seed is set by --seeds here'):
        checked_values(['adaptation.seed=3'])
    with pytest.raises(SettingError, match='tau must be <= 1'):
        checked_values(['tau=3'])
