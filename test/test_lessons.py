"""The order of learning, by hand."""

from __future__ import annotations

import pytest

from ditta_ros.adaptation import Adapter, Losses
from ditta_ros.lessons import Lessons, round_of
from ditta_ros.segmenter import Head
from ditta_ros.settings import AdaptationSettings

LOSSES = Losses(1.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(('passes', 'frames', 'rounds'), [
    (1, 3, [[0], [1], [2]]),
    (2, 3, [[0], [0, 1], [1, 2], [2]]),
    (3, 2, [[0], [0, 1], [0, 1], [1]]),
])
def test_rounds_take_every_frame_as_often_as_passes_say(
    passes: int, frames: int, rounds: list[list[int]],
) -> None:
    assert [list(round_of(number, passes, frames))
            for number in range(frames + passes - 1)] == rounds


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was learnt from; the samples are names here, and no step is taken."""
    taken: list[str] = []
    monkeypatch.setattr(Adapter, 'step', lambda self, sample: taken.append(sample) or LOSSES)
    return taken


def lessons(when: str, passes: int = 2) -> Lessons:
    rule = AdaptationSettings(when=when, passes=passes)
    return Lessons(Head((2, 3, 4, 5), 6, 3), rule, lambda t: f'early {t}')


def test_after_the_warm_up_passes_follow_each_other(taken: list[str]) -> None:
    course = lessons('after_warm_up')
    assert not course.may_begin(100)
    assert course.plan(['a', 'b', 'c']) == course.left == 6
    while course.left:
        assert course.step() == LOSSES
    assert taken == ['a', 'b', 'c', 'a', 'b', 'c']


def test_while_warming_up_the_newest_frame_waits_and_the_rest_follows(taken: list[str]) -> None:
    course = lessons('while_warming_up')
    for tracked in range(4):
        while course.may_begin(tracked):
            course.step()
        taken.append(f'tracked {tracked}')
    assert course.plan(['a', 'b', 'c']) == 6
    assert course.left == 3
    while course.left:
        course.step()
    assert taken == [
        'tracked 0', 'tracked 1', 'early 0', 'tracked 2', 'early 0', 'early 1', 'tracked 3',
        'b', 'c', 'c']


def test_without_passes_there_is_nothing_to_learn(taken: list[str]) -> None:
    for when in ('after_warm_up', 'while_warming_up'):
        course = lessons(when, passes=0)
        assert not course.may_begin(100)
        assert course.plan(['a', 'b']) == course.left == 0


def test_the_frozen_head_is_left_alone() -> None:
    frozen = Head((2, 3, 4, 5), 6, 3).requires_grad_(False).eval()
    head = Lessons(frozen, AdaptationSettings(), lambda t: None).head()
    assert head is not frozen
    assert not any(parameter.requires_grad for parameter in head.parameters())
    assert not head.training
