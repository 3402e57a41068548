"""Every signal by hand, on two frames of four pixels and three classes."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from ditta_ros.evaluation.bed.signals import SIGNALS, HeldOut, View, signals


def maps(*frames: str) -> torch.Tensor:
    """Label maps of one row each; ``-`` is unlabelled."""
    return torch.tensor(
        [[[255 if each == '-' else int(each) for each in frame]] for frame in frames],
        dtype=torch.uint8)


def view(*frames: str, reliability: float = 0.5, entropy: float = 1.0,
         flicker: float = 0.1) -> View:
    label = maps(*frames)
    return View(label, torch.full(label.shape, reliability), entropy, flicker,
                torch.ones(label.shape, dtype=torch.bool))


SEEN = HeldOut(
    learnt=view('0011', '0012', reliability=0.7, entropy=0.6, flicker=0.05),
    iss=view('0001', '0112'),
    teacher=dataclasses.replace(
        view('0001', '0122'), steady=maps('1111', '1101').bool(),
        reliability=torch.tensor([[[.9, .9, .1, .9]], [[.9, .9, .9, .1]]])),
    mirrored=maps('0011', '0112'), third=maps('0001', '0112'),
    target=maps('0011', '0012'),
    object_id=torch.tensor([[[1, 1, 2, 2]], [[1, 1, 0, 0]]]),
    object_label=maps('--11', '00--'), classes=3)


def test_signals_by_hand() -> None:
    got = signals(SEEN)
    assert got.keys() == SIGNALS.keys()
    # The targets are what has learnt; the two differ in one pixel of each frame.
    assert got['agreement'] == pytest.approx(1 - 6 / 8)
    assert (got['disputed'], got['disputed objects']) == (1, 1)
    # IoU of ISS with the targets: 3 of 5 pixels, 2 of 4, 1 of 1.
    assert got['target mIoU'] == pytest.approx(1 - (3 / 5 + 2 / 4 + 1) / 3)
    assert got['worst class'] == 0
    # Right of ISS: 3 of 4, 2 of 3, 1 of 1; of the worse half, one class, nothing is gained.
    assert got['disputed classes'] == 0
    assert got['coverage'] == pytest.approx(6 / 8)
    assert got['consent'] == pytest.approx(4 / 6)
    # Objects' commonest labels: 2 + 2 + 2 of 6 pixels; by ISS 2 + 1 + 1.
    assert got['purity'] == pytest.approx(1 - 4 / 6)
    assert got['steadiness'] == pytest.approx(0.05)
    assert got['reliability'] == pytest.approx(0.2)
    assert got['certainty'] == pytest.approx(0.4)
    # It differs from its teacher in one pixel of the first frame and two of the second.
    assert got['restraint'] == pytest.approx(5 / 8)
    assert got['restraint where sure'] == pytest.approx(4 / 6)
    entropy = [-sum(share * math.log(share) for share in shares)
               for shares in ((4 / 8, 3 / 8, 1 / 8), (4 / 8, 2 / 8, 2 / 8))]
    assert got['diversity'] == pytest.approx(entropy[0] - entropy[1])
    # Of class 2 there is one pixel instead of two; of class 1 one steady one instead of two, as
    # the third pixel of the second frame is not steady.
    assert got['class kept'] == pytest.approx(1 / 2)
    assert got['steady class kept'] == pytest.approx(1)
    assert got['class kept or made up'] == 1
    # The mirror gives it the first frame's pixel and ISS the second's; the third opinion is ISS's.
    assert (got['mirrored'], got['third opinion']) == (0, -1)


def test_what_does_not_differ_from_the_plain_model_has_nothing_for_or_against_it() -> None:
    same = signals(dataclasses.replace(SEEN, learnt=SEEN.iss))
    for name in ('agreement', 'target mIoU', 'worst class', 'disputed', 'disputed objects',
                 'disputed classes', 'purity', 'steadiness', 'reliability', 'certainty',
                 'mirrored', 'third opinion'):
        assert same[name] == 0


def test_what_the_guard_goes_by_forgives_a_loss_where_agreement_rose() -> None:
    lost = dataclasses.replace(SEEN, learnt=view('0011', '0011'), target=maps('0011', '0011'))
    assert signals(lost)['steady class kept'] == 0
    assert signals(lost)['class kept or made up'] == 1
    against = signals(dataclasses.replace(lost, target=SEEN.iss.label))
    assert against['class kept or made up'] == against['steady class kept'] == 0


def test_without_objects() -> None:
    none = dataclasses.replace(
        SEEN, object_id=torch.zeros_like(SEEN.object_id), object_label=maps('----', '----'))
    got = signals(none)
    assert (got['coverage'], got['consent'], got['purity'], got['disputed objects']) == (
        0, 1, 0, 0)
