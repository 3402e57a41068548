from __future__ import annotations

import math

import pytest

from ditta_ros.evaluation.outcome import Job, Outcome
from ditta_ros.evaluation.report.results import Results
from ditta_ros.evaluation.report.rows import (
    Mean,
    class_rows,
    measures,
    method_rows,
    variant_rows,
)
from made_outcomes import outcome, scores, without_truth


def pair(source: str, before: float, after: float, **job: object) -> list[Outcome]:
    return [outcome(Job(source, method, '25%', **job), scores(miou))  # type: ignore[arg-type]
            for method, miou in (('iss', before), ('ditta', after))]


def test_means_and_paired_changes() -> None:
    """Changes of +10, +4 and -2 points: mean 4, standard deviation 6; c has no pair."""
    made = [*pair('a', .5, .6), *pair('b', .6, .64), *pair('d', .7, .68), pair('c', 0, .88)[1]]
    iss, ditta = method_rows(Results(tuple(made)))
    assert (iss.method, iss.count, ditta.method, ditta.count) == ('iss', 3, 'ditta', 4)
    assert iss.means['miou'].value == pytest.approx(60) and iss.means['miou'].pairs == 0
    assert math.isnan(iss.means['miou'].change)
    got = ditta.means['miou']
    assert (got.value, got.change) == pytest.approx((70, 4))
    assert (got.count, got.pairs, got.better) == (4, 3, 2)
    assert got.error == pytest.approx(6 / math.sqrt(3))
    assert not got.clear


@pytest.mark.parametrize(('mean', 'clear'), [
    (Mean(0, 3, 4.0, 3, 1.9), True), (Mean(0, 3, -4.0, 3, 1.9), True),
    (Mean(0, 3, 4.0, 3, 2.1), False), (Mean(0, 2, 4.0, 2, .1), False),
    (Mean(0, 1), False)])
def test_a_clear_change_is_twice_its_error(mean: Mean, clear: bool) -> None:
    assert mean.clear is clear


def test_lower_is_better_for_flicker() -> None:
    made = (without_truth(Job('a', 'iss', '25%'), .3), without_truth(Job('a', 'ditta', '25%'), .1))
    got = method_rows(Results(made))[1].means['flicker']
    assert got.change == pytest.approx(-20) and got.better == 1


def test_figures_of_truth_only_where_there_is_truth() -> None:
    blind = without_truth(Job('a', 'iss', '25%'), .3)
    keys = [each.key for each in measures(Results((blind,)))]
    assert keys[0] == 'flicker' and 'miou' not in keys
    both = Results((blind, outcome(Job('b', 'iss', '25%'))))
    assert measures(both)[0].key == 'miou'
    [row] = method_rows(both)
    assert (row.count, row.means['miou'].count, row.means['flicker'].count) == (2, 1, 2)


def test_variants_have_a_table_of_their_own() -> None:
    made = [*pair('a', .5, .6), outcome(
        Job('a', 'ditta', '25%', 0, {'tau': .5}, 'tau=0.5'), scores(.55))]
    results = Results(tuple(made))
    assert [row.variant for row in method_rows(results)] == ['', '']
    [row] = variant_rows(results)
    assert (row.method, row.variant) == ('ditta', 'tau=0.5')
    assert row.means['miou'].change == pytest.approx(5)


def test_classes_with_truth() -> None:
    """Of three classes the last has no truth; the others' IoU is the mIoU -10 and +10 points."""
    rows = class_rows(Results((*pair('a', .5, .6), *pair('b', .5, .7))), '25%')
    assert [row.name for row in rows] == ['road', 'tree']
    got = rows[0].means['ditta']
    assert (got.value, got.change, got.pairs) == (pytest.approx(55), pytest.approx(15), 2)
    assert class_rows(Results((without_truth(Job('a', 'iss', '25%'), .1),)), '25%') == []


def test_outcomes_of_other_classes_are_left_out() -> None:
    other = outcome(Job('b', 'iss', '25%'), scores(.9, class_iou=(.9,)), class_names=('ship',))
    [road, _] = class_rows(Results((*pair('a', .5, .6), other)), '25%')
    assert road.means['iss'].value == pytest.approx(40)
