"""How much of what was learnt may label, found on the frames held out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import pytest
import torch

from ditta_ros.adaptation import Sample
from ditta_ros.calibration import with_statistics
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.segmenter import Head
from ditta_ros.trial import PARTS, STATISTICS_FRAMES, ThirdOpinion, Trial
from small_samples import CLASSES, SIZE_PX, features_of, varied_head

HELD, FRAMES, TAU = 2, 4, 0.8
WRONG_PX = 42  # of each frame, 1.9 %: where ISS is wrong, so that there is something to dispute
HeadOf = Callable[[float], Head]


@pytest.fixture
def tried() -> list[float]:
    return []


@pytest.fixture(scope='module')
def head() -> Head:
    return varied_head()


@pytest.fixture(scope='module')
def samples(head: Head) -> list[Sample]:
    """A still picture; the targets are what ``head`` makes of it."""
    labeller, samples = TemporalLabeller(head), []
    for t in range(FRAMES):
        features = features_of(2)
        if t < FRAMES - HELD:
            labeller.forget()  # as a trial does, which begins before the frames held out
        label, _ = labeller.label(features, SIZE_PX, TAU)
        none = torch.full(SIZE_PX, 255, dtype=torch.uint8)
        samples.append(Sample(features, None, label, torch.zeros(SIZE_PX, dtype=torch.int16),
                              none))
    return samples


def wrong_in(label: torch.Tensor, pixels: int) -> torch.Tensor:
    changed = label.clone().flatten()
    changed[:pixels] = (changed[:pixels] + 1) % CLASSES
    return changed.view_as(label)


def trial_of(
    samples: Sequence[Sample], head: Head, wrong_px: int = WRONG_PX, gives_back: bool = False,
) -> Trial:
    """A trial whose plain labels are wrong in so many pixels of each frame."""
    iss = [wrong_in(sample.iss_label, wrong_px) for sample in samples[-HELD - 1:]]
    return Trial(samples, HELD, iss, head, CLASSES, TAU, gives_back)


def taking_from(
    head: Head, by_part: Mapping[float, float], tried: list, index: int = 4,
) -> HeadOf:
    """Heads whose logit of a class is lowered, by the part they take; 4 has 5 % of the pixels."""
    def head_of(part: float) -> Head:
        tried.append(part)
        lowered = copy.deepcopy(head)
        with torch.no_grad():
            lowered.classifier.bias[index] -= by_part[part]
        return lowered
    return head_of


def judged(trial: Trial, head_of: HeadOf) -> int:
    """Return the steps that it took."""
    steps = 0
    while trial.verdict is None:
        trial.step(head_of)
        steps += 1
    return steps


@pytest.mark.parametrize(('by_part', 'parts', 'left'), [
    ({1.0: 0.0}, (1.0,), '100 % is left with 100 % of the learnt share'),
    ({1.0: 0.01, 0.5: 0.005, 0.25: 0.0}, PARTS,
     '100 % is left with 25 % of the learnt share'),
    ({1.0: 0.005, 0.5: 0.0}, (1.0, 0.5), '100 % is left with 50 % of the learnt share')])
def test_where_a_class_shrinks_less_is_taken_of_what_was_learnt(
    samples, head, tried, by_part: dict, parts: tuple, left: str,
) -> None:
    trial = trial_of(samples, head)
    steps = judged(trial, taking_from(head, by_part, tried))
    assert tuple(tried) == parts
    assert steps == (HELD + 1) * len(parts)
    assert trial.verdict.promoted
    assert left in trial.verdict.why
    assert torch.equal(trial.head.classifier.bias, head.classifier.bias)


def test_the_last_head_is_judged_as_it_is(samples, head, tried) -> None:
    trial = trial_of(samples, head)
    judged(trial, taking_from(head, dict.fromkeys(PARTS, 100.0), tried))
    assert tuple(tried) == PARTS
    assert not trial.verdict.promoted
    assert 'of every class at least 0 % is left' in trial.verdict.why


def test_agreement_that_rises_makes_up_for_a_class_that_is_lost(samples, head, tried) -> None:
    trial = trial_of(samples, head, wrong_px=SIZE_PX[0] * SIZE_PX[1])
    judged(trial, taking_from(head, {1.0: 0.005}, tried))
    assert tried == [1.0]
    assert trial.verdict.promoted


def test_what_the_third_opinion_is_against_is_taken_less_of_and_refused_at_last(
    samples, head, tried, monkeypatch,
) -> None:
    monkeypatch.setattr('ditta_ros.trial.OPPOSED', 2.0)  # nothing finds so much consent
    trial = trial_of(samples, head)
    judged(trial, taking_from(head, dict.fromkeys(PARTS, 0.0), tried))
    assert tuple(tried) == PARTS
    assert not trial.verdict.promoted
    assert trial.verdict.why.startswith('a third opinion is against it: agreement with held-out')
    assert '; third opinion ' in trial.verdict.why
    assert len(trial._third.labels) == HELD  # heard once, whatever is tried


def test_half_is_taken_where_agreement_does_not_show_that_it_is_of_use(
    samples, head, tried,
) -> None:
    trial = trial_of(samples, head, wrong_px=11)  # 0.5 %: it agrees better by no more than noise
    steps = judged(trial, taking_from(head, {1.0: 0.0, 0.5: 0.5}, tried))
    assert (tried, steps) == ([1.0, 0.5], HELD + 1)  # the half is not judged
    assert trial.verdict.promoted
    assert trial.verdict.why.endswith(
        'with 100 % of the learnt share; 50 % of the learnt share is taken')
    torch.testing.assert_close(
        trial.head.classifier.bias[4], head.classifier.bias[4] - 0.5)


def test_nothing_is_taken_where_there_is_nothing_to_win(
    samples, head, tried, monkeypatch,
) -> None:
    monkeypatch.setattr('ditta_ros.guard.LIKE_TRAINING', 1.1)  # every stream is
    trial = trial_of(samples, head, wrong_px=0)
    judged(trial, taking_from(head, {1.0: 0.012}, tried))  # 0.7 % less; 1 % is borne elsewhere
    assert tried == [1.0]  # less of it would not agree better
    assert not trial.verdict.promoted
    assert trial.verdict.why.startswith('there is nothing to win: agreement with held-out')


def test_the_third_opinion_has_learnt_the_statistics_alone(samples, head) -> None:
    other = [Sample(features_of(seed), *_rest(samples[0])) for seed in range(3)]
    third = ThirdOpinion(head, [*other, samples[0]], len(other), TAU)
    third.hear(samples[0])
    moved = with_statistics(head, [each.features for each in other], 1.0)
    wanted, _ = IssLabeller(moved).label(samples[0].features, SIZE_PX, TAU)
    plain, _ = IssLabeller(head).label(samples[0].features, SIZE_PX, TAU)
    assert torch.equal(third.labels[0], wanted)
    assert not torch.equal(wanted, plain)


def test_a_long_warm_up_is_not_read_as_a_whole(samples, head, monkeypatch) -> None:
    read = []

    def noting(plain: Head, frames: list, share: float) -> Head:
        read.append(len(frames))
        return with_statistics(plain, frames, share)

    monkeypatch.setattr('ditta_ros.trial.with_statistics', noting)
    for length in (1, STATISTICS_FRAMES, STATISTICS_FRAMES + 1, 100):
        ThirdOpinion(head, samples[:1] * (length + 1), length, TAU)
    assert read == [1, STATISTICS_FRAMES, 5, 8]


def _rest(sample: Sample) -> tuple:
    return sample.previous, sample.iss_label, sample.object_id, sample.object_label


@pytest.mark.parametrize('gives_back', [False, True])
def test_a_class_that_was_lost_is_given_back_where_that_is_wanted(
    samples, head, tried, gives_back: bool, monkeypatch,
) -> None:
    """Agreement rises by so much that the loss of a quarter is borne."""
    monkeypatch.setattr('ditta_ros.guard.MORE_FLICKER', 1.0)  # a still picture never flickers
    trial = trial_of(samples, head, SIZE_PX[0] * SIZE_PX[1] // 2, gives_back)
    steps = judged(trial, taking_from(head, {1.0: 0.05}, tried, 0))
    assert steps == HELD + 1 + (2 * HELD if gives_back else 0)
    assert trial.verdict.promoted
    change = (trial.head.classifier.bias - head.classifier.bias).detach()
    assert float(change[0]) == pytest.approx(0 if gives_back else -0.05, abs=1e-6)
    assert ('; logits given back to classes: 0 0.05' in trial.verdict.why) == gives_back


def test_nothing_is_given_back_where_no_class_was_lost(samples, head, tried) -> None:
    trial = trial_of(samples, head, gives_back=True)
    judged(trial, taking_from(head, {1.0: 0.0}, tried))
    assert trial.verdict.promoted
    assert 'given back' not in trial.verdict.why
    assert torch.equal(trial.head.classifier.bias, head.classifier.bias)
