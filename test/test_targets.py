from __future__ import annotations

import pytest
import torch

from ditta_ros.targets import Votes, object_label, paint, pixel_weight

SIZE_PX = (2, 3)
LABEL = torch.tensor([[0, 0, 1], [1, 1, 2]], dtype=torch.uint8)
RELIABILITY = torch.tensor([[0.5, 0.7, 0.9], [0.8, 0.4, 0.3]])


def mask(*rows: str) -> torch.Tensor:
    return torch.tensor([[pixel == '#' for pixel in row] for row in rows])


def test_a_vote_by_hand() -> None:
    votes = Votes(classes=4, max_objects=2, lambda_area=0.3, lambda_freq=0.8)
    votes.count_frame(LABEL)
    votes.add(LABEL, RELIABILITY, {1: mask('##.', '.#.')})
    scores = votes.scores()
    assert scores.shape == (3, 4) and scores.dtype == torch.float32
    # Object 1 has two pixels of class 0 (mean 0.6, in the frame 2 of 6) and one of class 1
    # (0.4, in the frame 3 of 6).
    expected = torch.zeros(3, 4)
    expected[1, 0] = 0.6 * (2 / 3) ** 0.3 * (1 - 2 / 6) ** 0.8
    expected[1, 1] = 0.4 * (1 / 3) ** 0.3 * (1 - 3 / 6) ** 0.8
    torch.testing.assert_close(scores, expected)


def test_frames_add_up_and_backward_masks_may_come_late() -> None:
    def votes_of(*calls) -> Votes:
        votes = Votes(3, 4)
        votes.count_frame(LABEL)
        votes.count_frame(later)
        for call in calls:
            votes.add(*call)
        return votes

    later = LABEL.flip(1)
    first, second = mask('#..', '##.'), mask('.##', '#..')
    together = votes_of(
        (LABEL, RELIABILITY, {1: first, 2: second}), (later, RELIABILITY, {1: second, 2: first}))
    late = votes_of(
        (LABEL, RELIABILITY, {1: first}), (later, RELIABILITY, {1: second, 2: first}),
        (LABEL, RELIABILITY, {2: second}), (LABEL, RELIABILITY, {}))
    torch.testing.assert_close(together.scores(), late.scores())
    # Object 1, class 0: one pixel of 0.5 in the first frame, 0.7 and 0.9 in the second; 3 of the
    # mask's 6 pixels; 4 of the 12 pixels of both frames.
    assert together.scores()[1, 0].item() == pytest.approx(
        (0.5 + 0.7 + 0.9) / 3 * (3 / 6) ** 0.3 * (1 - 4 / 12) ** 0.8)


def test_overlapping_objects_each_have_the_pixel() -> None:
    votes = Votes(3, 2)
    votes.count_frame(LABEL)
    votes.add(LABEL, RELIABILITY, {1: mask('###', '...'), 2: mask('.##', '...')})
    alone = Votes(3, 2)
    alone.count_frame(LABEL)
    alone.add(LABEL, RELIABILITY, {2: mask('.##', '...')})
    torch.testing.assert_close(votes.scores()[2], alone.scores()[2])


def test_an_exponent_of_zero_switches_its_term_off() -> None:
    votes = Votes(3, 1, lambda_area=0.0, lambda_freq=0.0)
    votes.count_frame(LABEL)
    votes.add(LABEL, RELIABILITY, {1: mask('##.', '.#.')})
    torch.testing.assert_close(votes.scores()[1], torch.tensor([0.6, 0.4, 0.0]))


def test_an_object_without_a_pixel_and_a_class_that_is_everywhere_score_zero() -> None:
    votes = Votes(3, 2)
    one = torch.ones(SIZE_PX, dtype=torch.uint8)
    votes.count_frame(one)
    votes.add(one, RELIABILITY, {1: mask('...', '...'), 2: mask('###', '...')})
    assert votes.scores().tolist() == [[0.0] * 3] * 3


def test_no_frame_yet() -> None:
    assert Votes(3, 2).scores().tolist() == [[0.0] * 3] * 3


def test_the_smallest_object_on_top_where_that_is_wanted() -> None:
    masks = {1: mask('##.', '##.'), 2: mask('.##', '...'), 3: mask('..#', '..#')}
    scores = torch.tensor([[0.0, 0.0], [0.9, 0.5], [0.6, 0.1], [0.0, 0.5]])
    assert paint(masks, scores, SIZE_PX).tolist() == [[1, 1, 2], [1, 1, 3]]
    assert paint(masks, scores, SIZE_PX, smallest_on_top=True).tolist() == [[1, 2, 2], [1, 1, 3]]


@pytest.mark.parametrize(('unmasked', 'others'), [
    ('ignored', [0.0, 0.0]), ('by_reliability', [0.7, 0.3]),
])
def test_pixels_without_object_weigh_less_where_that_is_wanted(unmasked, others) -> None:
    voted = torch.tensor([[1, 255, 2], [0, 1, 255]], dtype=torch.uint8)
    weight = pixel_weight(voted, RELIABILITY, unmasked)
    assert weight is not None
    torch.testing.assert_close(
        weight, torch.tensor([[1.0, others[0], 1.0], [1.0, 1.0, others[1]]]))
    assert pixel_weight(voted, RELIABILITY, 'as_labelled') is None


def test_the_best_scored_object_wins_an_overlap() -> None:
    masks = {1: mask('##.', '##.'), 2: mask('.##', '...'), 3: mask('...', '.##')}
    scores = torch.tensor([[0.0, 0.0], [0.2, 0.5], [0.6, 0.1], [0.0, 0.4]])
    object_id = paint(masks, scores, SIZE_PX)
    assert object_id.tolist() == [[1, 2, 2], [1, 1, 3]]
    assert object_label(object_id, scores).tolist() == [[1, 0, 0], [1, 1, 1]]


def test_of_equal_objects_the_later_wins() -> None:
    masks = {2: mask('##.', '...'), 1: mask('.##', '...')}
    scores = torch.tensor([[0.0], [0.5], [0.5]])
    assert paint(masks, scores, SIZE_PX).tolist() == [[2, 2, 1], [0, 0, 0]]


def test_no_object_and_a_row_of_zeros_are_unlabelled() -> None:
    object_id = torch.tensor([[0, 1, 300]], dtype=torch.int16)
    scores = torch.zeros(301, 3)
    scores[0, 2] = 1.0  # even if somebody wrote there
    scores[300] = torch.tensor([0.1, 0.3, 0.3])
    label = object_label(object_id, scores)
    assert label.dtype == torch.uint8
    assert label.tolist() == [[255, 255, 1]]


def test_more_than_255_classes() -> None:
    scores = torch.zeros(2, 300)
    scores[1, 299] = 0.5
    label = object_label(torch.tensor([[0, 1]], dtype=torch.int16), scores)
    assert label.dtype == torch.int32
    assert label.tolist() == [[65535, 299]]

    votes = Votes(300, 1)
    votes.count_frame(label[:, 1:])
    votes.count_frame(label[:, 1:] - 1)
    votes.add(label[:, 1:], torch.ones(1, 1), {1: torch.tensor([[True]])})
    assert votes.scores()[1].nonzero().tolist() == [[299]]


def test_a_frame_without_masks() -> None:
    assert paint({}, torch.zeros(3, 2), SIZE_PX).tolist() == [[0] * 3] * 2
