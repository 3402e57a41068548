"""What is given back to a class on the frames held out, and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from ditta_ros.adaptation import Sample
from ditta_ros.given_back import STEP, GivingBack, biases, on_grid, with_biases
from ditta_ros.guard import KEPT
from ditta_ros.labeller import TemporalLabeller
from ditta_ros.segmenter import Head
from small_samples import SIZE_PX, features_of, varied_head

FRAMES, HELD, TAU = 4, 2, 0.8
THIN = 4  # a class with few of the pixels
GRID = (10, 14)


@pytest.fixture(scope='module')
def head() -> Head:
    return varied_head()


def labels_of(head: Head) -> list[Tensor]:
    """Labels of a still picture from the first held-out frame on, fused with the one before."""
    labeller = TemporalLabeller(head)
    return [labeller.label(features_of(2), SIZE_PX, TAU)[0] for _ in range(HELD)]


def samples_of(label: Tensor) -> list[Sample]:
    none = torch.full(SIZE_PX, 255, dtype=torch.uint8)
    return [Sample(features_of(2), None, label, torch.zeros(SIZE_PX, dtype=torch.int16), none)
            for _ in range(FRAMES)]


def given_back(head: Head, plain: Sequence[Tensor], third: Sequence[Tensor]) -> GivingBack:
    """All steps of it, on a head that has lost half a logit of the thin class."""
    before = [plain[0], *plain]
    found = GivingBack(with_biases(head, {THIN: -0.5}), samples_of(plain[0]), before, third, TAU)
    while not found.step():
        pass
    return found


def test_the_least_bias_that_brings_most_pixels_back() -> None:
    short = torch.tensor([
        [100, 0, 0, 0, 0],  # has all of its pixels
        [50, 0, 40, 0, 10],  # two steps bring 90 %
        [0, 0, 0, 1, 0],  # is 0.03 % of the pixels
        [10, 0, 0, 0, 90],  # is beyond reach: the most that there is
        [87, 0, 0, 13, 0],  # has lost less than counts
    ], dtype=torch.float64)
    assert biases(short, 4000) == {1: pytest.approx(2 * STEP), 3: pytest.approx(3 * STEP)}


def test_biases_are_added_to_a_copy(head) -> None:
    raised = with_biases(head, {1: 0.25})
    change = raised.classifier.bias - head.classifier.bias
    assert change.tolist() == pytest.approx([0, 0.25, 0, 0, 0])
    assert with_biases(head, {}) is head


def test_labels_on_the_logits_grid() -> None:
    label = torch.arange(8 * 8).view(8, 8).to(torch.uint8)
    assert on_grid(label, (2, 2)).tolist() == [[18, 22], [50, 54]]


def test_a_class_gets_back_what_learning_took(head) -> None:
    before = labels_of(head)
    found = given_back(head, before, before)
    assert list(found.given) == [THIN]
    # No more than it had, and less than that where KEPT of the pixels need less.
    assert 0 < found.given[THIN] <= 0.5 + STEP
    thin, left, back = (
        sum(int((label == THIN).sum()) for label in labels_of(each)) for each in (
            head, with_biases(head, {THIN: -0.5}), found.head))
    assert left < 0.5 * thin
    assert 0.9 * KEPT * thin < back <= 1.1 * thin


def test_nothing_is_given_where_the_third_opinion_does_not_see_the_class(head) -> None:
    before, learnt = labels_of(head), labels_of(with_biases(head, {THIN: -0.5}))
    found = given_back(head, before, [torch.where(
        label == THIN, 0, label) for label in learnt])
    assert THIN not in found.given


def test_a_bias_that_the_third_opinion_is_against_is_taken_back(head) -> None:
    """It sees the class on the grid, which biases are measured on, and nowhere between."""
    before, learnt = labels_of(head), labels_of(with_biases(head, {THIN: -0.5}))
    rows, columns = (torch.arange(length * 4) % 4 == 2 for length in GRID)
    on = rows[:, None] & columns[None]
    third = [torch.where(on, one, other) for one, other in zip(before, learnt, strict=True)]
    assert torch.equal(on_grid(third[0], GRID), on_grid(before[0], GRID))
    found = given_back(head, before, third)
    assert not found.given
    assert all(map(torch.equal, labels_of(found.head), learnt))


def test_pixels_that_the_plain_model_does_not_label_steadily_are_nobodys(head) -> None:
    before = labels_of(head)
    flickering = [torch.where(before[0] == THIN, 0, before[0]), before[1]]
    assert THIN not in given_back(head, flickering, before).given
