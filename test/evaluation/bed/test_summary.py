"""Means over cells and the bars, by hand."""

from __future__ import annotations

import math

import pytest

from ditta_ros.evaluation.bed.candidates import Candidate
from ditta_ros.evaluation.bed.cells import Adapted, Cell
from ditta_ros.evaluation.bed.reached import Reached
from ditta_ros.evaluation.bed.streams import Stream
from ditta_ros.evaluation.bed.summary import bars, by_shift, lost_classes, summarise
from ditta_ros.evaluation.bed.tables import table
from ditta_ros.evaluation.bed.targets import Targets

NAN = math.nan
TARGETS = Targets(.9, .7, .88, .71, 1.0)


def reached(miou: float, mvc8: float = .8, **class_iou: float) -> Reached:
    return Reached(miou, miou + .1, mvc8, class_iou)


def cell(
    shift: str, iss: Reached, adapted: Reached, ceiling: Reached | None = None,
    targets: Targets = TARGETS, promoted: bool = True, name: str = '600',
    percent: float = 10.0, candidate: Reached | None = None,
) -> Cell:
    stream = Stream('world', name, shift, 90, f'world:seed={name},shift={shift}')
    return Cell(stream, percent, iss, ceiling,
                {'a': Adapted(adapted, targets, {'promoted': promoted, 'why': 'made'},
                              None if candidate is None else Candidate(candidate, {}))})


CELLS = [
    cell('clean', reached(.80, .90, pole=.5, sky=.9), reached(.78, .92, pole=.4, sky=.9),
         reached(.82), promoted=False),
    cell('fog:0.5', reached(.50, .60, pole=.3, person=.2), reached(.56, .70, pole=.32, person=.14),
         reached(.60)),
    cell('fog:0.5', reached(.40, .50, person=.4), reached(.42, NAN, person=.42), reached(.46),
         targets=Targets(.8, .6, .7, .5, .9), name='601'),
]


def test_a_summary_by_hand() -> None:
    got = summarise(CELLS, 'a')
    assert (got.cells, got.better, got.promoted) == (3, 2, 2)
    assert got.miou == pytest.approx((-2 + 6 + 2) / 3)
    assert got.accuracy == pytest.approx((-2 + 6 + 2) / 3)
    assert got.mvc8 == pytest.approx((2 + 10) / 2)  # the third was not measured
    assert got.worst == pytest.approx(-2)
    assert got.worst_cell == 'world 600 clean 10 %'
    assert got.rare['pole'] == pytest.approx((-10 + 2) / 2)
    assert got.rare['person'] == pytest.approx((-6 + 2) / 2)
    assert math.isnan(got.rare['sign'])
    assert got.target_accuracy == pytest.approx((2 + 2 + 10) / 3)
    assert got.target_miou == pytest.approx((-1 - 1 + 10) / 3)
    assert got.ceiling == pytest.approx((2 + 10 + 6) / 3)
    assert got.ceiling_share == pytest.approx(6 / 18)


def test_a_ceiling_that_gains_nothing_has_no_share() -> None:
    flat = [cell('clean', reached(.8), reached(.9), reached(.8))]
    unknown = [cell('clean', reached(.8), reached(.9))]
    assert math.isnan(summarise(flat, 'a').ceiling_share)
    assert math.isnan(summarise(unknown, 'a').ceiling)


def test_rare_classes_of_both_beds_are_one_kind() -> None:
    both = [cell('clean', reached(.5, sign=.2), reached(.5, sign=.3)),
            cell('clean', reached(.5, SignSymbol=.2), reached(.5, SignSymbol=.0))]
    assert summarise(both, 'a').rare['sign'] == pytest.approx((10 - 20) / 2)


def test_groups_of_shifts() -> None:
    groups = by_shift(CELLS)
    assert {name: len(group) for name, group in groups.items()} == {
        'clean': 1, 'fog:0.5': 2, 'under shift': 2, 'all': 3}
    assert list(by_shift(CELLS[:1])) == ['clean', 'all']


def test_bars_by_hand() -> None:
    got = bars(CELLS, 'a')
    assert [bar.value for bar in got] == pytest.approx(
        [2, 6, -2, -4, -2, 8 / 16, 0, NAN], nan_ok=True)
    assert [bar.met for bar in got] == [False, True, False, False, False, True, True, False]
    assert str(got[1]) == 'mVC8, mean of all cells +6.00 (bar +3): met'
    assert str(got[3]) == (
        'IoU of the rare class that changed worst (pole), mean -4.00 (bar -2): MISSED')
    assert 'world 600 clean 10 %' in got[4].name


def test_a_class_that_was_known_and_is_hardly_seen_now_is_lost() -> None:
    cells = [
        cell('clean', reached(.5, pole=.20, sky=.9), reached(.5, pole=.09, sky=.1)),
        cell('clean', reached(.5, pole=.19, sky=.9), reached(.5, pole=.0, sky=.11), name='601')]
    assert lost_classes(cells, 'a') == ['pole (world 600 clean 10 %)']
    bar = bars(cells, 'a')[6]
    assert bar.value == -1 and not bar.met


def test_helpful_candidates_that_the_guard_kept() -> None:
    helps, harms = reached(.6), reached(.4)
    cells = [
        cell('clean', reached(.5), reached(.6), candidate=helps),
        cell('clean', reached(.5), reached(.6), candidate=helps),
        cell('clean', reached(.5), reached(.5), candidate=helps, promoted=False),
        cell('clean', reached(.5), reached(.4), candidate=harms),
        cell('clean', reached(.5), reached(.6))]
    assert bars(cells, 'a')[7].value == pytest.approx(2 / 3)
    assert not bars(cells, 'a')[7].met
    assert bars(cells[:2], 'a')[7].met


def test_what_was_not_measured_is_not_met() -> None:
    got = bars(CELLS[1:], 'a')
    clean = got[2]
    assert math.isnan(clean.value) and not clean.met
    assert str(clean) == 'mIoU, mean of clean cells (bar -0.3): not measured'


def test_the_table_by_hand() -> None:
    columns = {str(column.header): list(column.cells) for column in table(
        'made', CELLS, 'a').columns}
    assert columns[''] == ['clean', 'fog:0.5', 'under shift', 'all']
    assert columns['mIoU'] == ['-2.0', '+4.0', '+4.0', '+2.0']
    assert columns['worst'] == ['-2.0', '+2.0', '+2.0', '-2.0']
    assert columns['better'] == ['0/1', '2/2', '2/2', '2/3']
    assert columns['person'] == ['', '-2.0', '-2.0', '-2.0']
    assert columns['share'] == ['-100 %', '50 %', '50 %', '33 %']
    assert columns['promoted'] == ['0/1', '2/2', '2/2', '2/3']
