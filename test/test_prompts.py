from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from ditta_ros.prompts import Prompt, dilate, occupied_by, propose

HEIGHT, WIDTH = 12, 20


def frame(*pixels: tuple[int, int, int, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Class 0 with reliability 0.1, but for pixels (y_px, x_px, class_id, reliability)."""
    label = torch.zeros((HEIGHT, WIDTH), dtype=torch.uint8)
    reliability = torch.full((HEIGHT, WIDTH), 0.1)
    for y_px, x_px, class_id, value in pixels:
        label[y_px, x_px], reliability[y_px, x_px] = class_id, value
    return label, reliability


def at(*pixels: tuple[int, int]) -> torch.Tensor:
    mask = torch.zeros((HEIGHT, WIDTH), dtype=torch.bool)
    for y_px, x_px in pixels:
        mask[y_px, x_px] = True
    return mask


def test_one_prompt_per_class_most_reliable_first() -> None:
    label, reliability = frame(
        (2, 15, 3, 0.85), (2, 16, 3, 0.83), (7, 4, 1, 0.95), (9, 9, 2, 0.79))
    assert propose(label, reliability, None, 0.8, 5, first_object_id=4, room=100, t=6) == [
        Prompt(object_id=4, t=6, x_px=4, y_px=7, class_id=1),
        Prompt(object_id=5, t=6, x_px=15, y_px=2, class_id=3)]


def test_of_equal_pixels_the_first_in_row_major_order() -> None:
    label, reliability = frame((8, 2, 1, 0.9), (3, 17, 1, 0.9), (3, 18, 1, 0.9))
    [prompt] = propose(label, reliability, None, 0.8, 5, 1, 100, 0)
    assert (prompt.y_px, prompt.x_px) == (3, 17)


def test_of_equal_peaks_the_lower_class_first() -> None:
    label, reliability = frame((1, 1, 7, 0.9), (8, 8, 2, 0.9), (9, 9, 5, 0.9))
    prompts = propose(label, reliability, None, 0.8, 5, 1, 100, 0)
    assert [prompt.class_id for prompt in prompts] == [2, 5, 7]


def test_a_peak_of_exactly_tau_counts() -> None:
    label, reliability = frame((3, 3, 1, 0.75))
    assert len(propose(label, reliability, None, 0.75, 5, 1, 100, 0)) == 1
    assert propose(label, reliability, None, 0.7501, 5, 1, 100, 0) == []


@pytest.mark.parametrize(('occupied', 'free'), [
    ((6, 15), False), ((6, 16), True), ((1, 10), False), ((0, 10), True),
    ((9, 12), False), ((9, 13), True), ((6, 10), False),
])
def test_a_peak_must_be_more_than_the_margin_away_from_what_is_tracked(occupied, free) -> None:
    label, reliability = frame((6, 10, 1, 0.9))
    assert bool(propose(label, reliability, at(occupied), 0.8, 5, 1, 100, 3)) is free


def test_a_covered_class_has_no_second_choice() -> None:
    label, reliability = frame((6, 10, 1, 0.9), (6, 1, 1, 0.89), (1, 1, 2, 0.85))
    prompts = propose(label, reliability, at((6, 10)), 0.8, 0, 1, 100, 3)
    assert [prompt.class_id for prompt in prompts] == [2]


def test_a_second_choice_is_the_best_pixel_that_is_far_enough() -> None:
    label, reliability = frame(
        (6, 10, 1, 0.9), (6, 12, 1, 0.89), (6, 1, 1, 0.85), (1, 1, 2, 0.84), (9, 9, 3, 0.95))
    prompts = propose(
        label, reliability, at((6, 10), (9, 9)), 0.8, 2, 1, 100, 3, second_choice=True)
    assert [(each.class_id, each.y_px, each.x_px) for each in prompts] == [(1, 6, 1), (2, 1, 1)]


def test_every_region_has_a_peak_of_its_own() -> None:
    label, reliability = frame(
        (1, 1, 2, 0.9), (1, 2, 2, 0.95), (2, 3, 2, 0.85), (7, 7, 1, 0.99), (9, 9, 1, 0.7))
    prompts = propose(label, reliability, None, 0.8, 5, 1, 100, 0, each_region=True)
    assert [(each.class_id, each.y_px, each.x_px) for each in prompts] == [
        (1, 7, 7), (2, 1, 2), (2, 2, 3)]  # regions that touch at a corner are two


@pytest.mark.parametrize(('least_px', 'positions'), [
    (2, [(1, 1), (5, 5)]), (3, [(5, 5)]), (4, []),
])
@pytest.mark.parametrize('each_region', [False, True])
def test_small_regions_have_no_peak(least_px, positions, each_region) -> None:
    label, reliability = frame(
        (1, 1, 1, 0.95), (1, 2, 1, 0.9), (9, 9, 1, 0.99),
        (5, 5, 2, 0.9), (5, 6, 2, 0.85), (6, 5, 2, 0.8), (10, 2, 255, 1.0))
    prompts = propose(
        label, reliability, None, 0.8, 5, 1, 100, 0, each_region=each_region,
        min_region_px=least_px)
    assert [(each.y_px, each.x_px) for each in prompts] == positions


def test_room_keeps_the_most_reliable() -> None:
    label, reliability = frame((1, 1, 1, 0.85), (5, 5, 2, 0.95), (9, 9, 3, 0.9))
    prompts = propose(label, reliability, None, 0.8, 5, 1, 2, 0)
    assert [prompt.class_id for prompt in prompts] == [2, 3]
    assert propose(label, reliability, None, 0.8, 5, 1, 0, 0) == []


def test_unlabelled_pixels_are_no_class() -> None:
    label, reliability = frame((4, 4, 255, 0.99), (5, 5, 254, 0.9))
    prompts = propose(label, reliability, None, 0.8, 5, 1, 100, 0)
    assert [prompt.class_id for prompt in prompts] == [254]


def test_more_than_255_classes() -> None:
    label, reliability = frame((5, 5, 200, 0.9))
    label = label.int()
    label[4, 4], reliability[4, 4] = 65535, 0.99  # unlabelled
    label[6, 6], reliability[6, 6] = 299, 0.95
    prompts = propose(label, reliability, at(), 0.8, 5, 1, 100, 0)
    assert [prompt.class_id for prompt in prompts] == [299, 200]


def test_nothing_is_tracked_yet_is_the_same_as_an_empty_union() -> None:
    label, reliability = frame((0, 0, 1, 0.9), (11, 19, 2, 0.95))
    assert propose(label, reliability, at(), 0.8, 5, 1, 100, 0) == propose(
        label, reliability, None, 0.8, 5, 1, 100, 0)


@pytest.mark.parametrize('margin_px', [0, 1, 5])
def test_dilation_is_the_cross_iterated(margin_px: int) -> None:
    mask = np.random.default_rng(0).random((37, 53)) < 0.02
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    expected = cv2.dilate(mask.astype(np.uint8), cross, iterations=margin_px) > 0
    np.testing.assert_array_equal(dilate(torch.from_numpy(mask), margin_px).numpy(), expected)


def test_what_masks_occupy_together() -> None:
    assert occupied_by({}) is None
    masks = {3: at((0, 1)), 1: at((0, 1), (2, 2)), 8: at((5, 5))}
    assert torch.equal(occupied_by(masks), at((0, 1), (2, 2), (5, 5)))
