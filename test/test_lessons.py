"""The order of learning, by hand."""

from __future__ import annotations

import copy

import pytest
import torch

from ditta_ros.adaptation import Adapter, Losses
from ditta_ros.lessons import Lessons, round_of
from ditta_ros.matching import match_features
from ditta_ros.segmenter import Head
from ditta_ros.settings import AdaptationSettings
from small_samples import small_head, small_sample

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
    return Lessons(lambda: Head((2, 3, 4, 5), 6, 3), rule, lambda t: f'early {t}')


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
    head = Lessons(lambda: frozen, AdaptationSettings(), lambda t: None).head()
    assert head is not frozen
    assert not any(parameter.requires_grad for parameter in head.parameters())
    assert not head.training


@pytest.mark.parametrize(('when', 'frames'), [('after_warm_up', 2), ('while_warming_up', 3)])
def test_what_is_held_out_is_not_learnt_from_once_the_warm_up_has_ended(
    taken: list[str], when: str, frames: int,
) -> None:
    course = lessons(when, passes=1)
    assert course.plan(['a', 'b', 'c'], held_out=1) == frames
    while course.left:
        course.step()
    assert taken == ['a', 'b', 'c'][:frames]


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_the_head_in_force_lies_so_far_on_the_way(share: float) -> None:
    rule = AdaptationSettings(learning_rate=1e-2, batch_norm='train', learnt_share=share)
    course = Lessons(small_head, rule, lambda t: small_sample())
    course.plan([small_sample()])
    course.step()
    adapter = course._learner()
    before, after = (each.state_dict() for each in (adapter.before, adapter.head))
    for name, value in course.head().state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(
                value, before[name] + share * (after[name] - before[name]))
    assert not torch.equal(before['classifier.weight'], after['classifier.weight'])


@pytest.mark.parametrize('matches', [True, False])
def test_the_add_on_is_matched_before_the_first_step_where_it_is_to_be(matches: bool) -> None:
    drawn = small_head()
    course = Lessons(
        lambda: drawn, AdaptationSettings(learning_rate=0.0), lambda t: small_sample(), matches)
    course.plan([small_sample()])
    course.step()
    matched = copy.deepcopy(drawn)
    match_features(matched, [small_sample().features])
    wanted = matched if matches else drawn
    torch.testing.assert_close(course.head().state_dict(), wanted.state_dict())


@pytest.mark.parametrize(('heard', 'passes', 'in_force'), [
    ([3.0, 2.0, 1.0], 3, 3.0),  # falls to the end
    ([3.0, 2.0, 2.5], 3, 2.0),  # has risen after the third
    ([1.0, 2.0, 0.5], 2, 1.0),  # ends with the second, whatever would have come
])
def test_learning_ends_where_the_loss_on_held_out_frames_rises(
    heard: list[float], passes: int, in_force: float, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pass adds 1 to a bias; the head of the best pass is used."""
    losses = iter(heard)

    def step(adapter: Adapter, sample: str) -> Losses:
        taken.append(sample)
        with torch.no_grad():
            adapter.head.classifier.bias[0] += 0.5
        return LOSSES

    taken: list[str] = []
    monkeypatch.setattr(Adapter, 'step', step)
    monkeypatch.setattr(Adapter, 'loss', lambda self, sample: next(losses))
    frozen = Head((2, 3, 4, 5), 6, 3)
    rule = AdaptationSettings(passes=3, early_stop=True, learnt_share=1.0)
    course = Lessons(lambda: frozen, rule, lambda t: f'early {t}')
    assert course.plan(['a', 'b', 'held out'], held_out=1) == 6
    while course.left:
        course.step()
    assert taken == ['a', 'b'] * passes
    change = course.head().classifier.bias - frozen.classifier.bias
    assert change.tolist() == pytest.approx([in_force, 0, 0])


def test_the_loss_of_a_held_out_frame_changes_nothing() -> None:
    """It is the distillation loss that a step begins with, up to the batch norm's mode."""
    adapter = Adapter(small_head(), AdaptationSettings(batch_norm='eval'))
    before = copy.deepcopy(adapter.head.state_dict())
    loss = adapter.loss(small_sample())
    assert all(torch.equal(value, before[name])
               for name, value in adapter.head.state_dict().items())
    assert loss == pytest.approx(adapter.step(small_sample()).distill, rel=1e-5)
