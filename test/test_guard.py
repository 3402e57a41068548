"""The guard: evidence counted by hand, and what it lets pass."""

from __future__ import annotations

import pytest
import torch

from ditta_ros.guard import (
    Evidence,
    dispute,
    held_out,
    judge,
    least_kept,
    loss_made_up,
    nothing_to_win,
    share_shown,
)


def label(*rows: str) -> torch.Tensor:
    return torch.tensor([[int(digit) for digit in row] for row in rows], dtype=torch.uint8)


def evidence(agreement: float = 0.9, flicker: float = 0.1, **shares: list[float]) -> Evidence:
    return Evidence(
        agreement, flicker, torch.tensor(shares.get('shares', [0.5, 0.3, 0.2]),
                                         dtype=torch.float64))


@pytest.mark.parametrize(('frames', 'percent', 'held'), [
    (30, 20.0, 6), (9, 20.0, 2), (5, 20.0, 2), (3, 20.0, 2), (2, 20.0, 1), (1, 20.0, 0),
    (0, 20.0, 0), (30, 0.0, 0), (10, 90.0, 9)])
def test_how_many_frames_are_held_out(frames: int, percent: float, held: int) -> None:
    assert held_out(frames, percent) == held


def test_evidence_counted_by_hand() -> None:
    labels = [label('0011', '2222'), label('0001', '2222'), label('0001', '2211')]
    targets = [label('0001', '2221'), label('0001', '2211')]
    found = Evidence.of(labels, targets, 3)
    assert found.agreement == pytest.approx((7 / 8 + 1) / 2)  # of the last two frames
    assert found.flicker == pytest.approx((1 / 8 + 2 / 8) / 2)  # of all three
    assert found.shares.tolist() == pytest.approx([6 / 16, 4 / 16, 6 / 16])


def test_what_agrees_holds_still_and_keeps_its_classes_is_promoted() -> None:
    verdict = judge(evidence(0.95, 0.05), evidence(0.9, 0.1), evidence())
    assert verdict.promoted
    assert 'held-out targets 0.950, ISS 0.900' in verdict.why
    assert judge(evidence(0.891), evidence(0.9), evidence()).promoted  # a difference of noise


@pytest.mark.parametrize(('learnt', 'said'), [
    (evidence(agreement=0.88), 'it agrees less'),
    (evidence(agreement=float('nan')), 'it agrees less'),
    (evidence(flicker=0.11), 'it flickers more'),
    (evidence(shares=[0.98, 0.01, 0.01]), 'its labels have collapsed'),
    (evidence(shares=[0.4, 0.4, 0.17, 0.03]), 'it lost class 3')])
def test_what_is_worse_is_not_promoted(learnt: Evidence, said: str) -> None:
    teacher = evidence(shares=[0.3, 0.3, 0.2, 0.2][:len(learnt.shares)])
    verdict = judge(learnt, evidence(0.9, 0.1), teacher)
    assert not verdict.promoted
    assert said in verdict.why


def test_what_is_left_of_the_class_that_lost_most_of_what_is_seen_steadily() -> None:
    teacher = [label('0011'), label('0111'), label('0110')]
    learnt = [label('1111'), label('0101'), label('0110')]  # the first frame has none before it
    # Steady are 0-11 and 011-: 2 pixels of class 0, of which 3 are now, and 4 of class 1, now 3.
    assert least_kept(learnt, teacher, 2) == pytest.approx(3 / 4)
    assert least_kept(learnt[:1], teacher[:1], 2) == 1


@pytest.mark.parametrize(('pixels', 'left'), [(2, 0), (1, 1)])
def test_a_class_of_a_few_steady_pixels_does_not_count(pixels: int, left: float) -> None:
    plain = torch.zeros((1, 1500), dtype=torch.uint8)
    seen = plain.clone()
    seen[0, :pixels] = 1
    assert least_kept([plain, plain], [seen, seen], 2) == left


def test_a_loss_is_made_up_for_by_agreement_that_rises_clearly() -> None:
    assert loss_made_up(0.5, 0.03) == 1
    assert loss_made_up(0.5, 0.01) == loss_made_up(0.5, -0.03) == 0.5


def test_a_dispute_counted_by_hand() -> None:
    one, other = label('0123', '0000')[None], label('0000', '0001')[None]
    # They differ in four pixels: the judge sides with one in two, with the other in one.
    assert dispute(one, other, label('0120', '1112')[None]) == pytest.approx((2 - 1) / 4)
    assert dispute(one, one, other) == 0
    assert dispute(one, other, other) == -1


@pytest.mark.parametrize(('gained', 'differs', 'useless'), [
    (-0.006, 0.029, True), (-0.02, 0.0, True), (-0.005, 0.0, False), (-0.02, 0.03, False)])
def test_there_is_nothing_to_win_where_the_stream_is_like_the_training(
    gained: float, differs: float, useless: bool,
) -> None:
    assert nothing_to_win(gained, differs) is useless


@pytest.mark.parametrize(('gained', 'share'), [
    (0.011, 1.0), (0.01, 0.5), (-0.01, 0.5), (float('nan'), 0.5)])
def test_half_is_taken_where_agreement_rises_by_no_more_than_noise(
    gained: float, share: float,
) -> None:
    assert share_shown(gained) == share
