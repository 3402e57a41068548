from __future__ import annotations

import dataclasses

import pytest

from ditta_ros.evaluation.outcome import Job, Outcome
from ditta_ros.evaluation.report.results import Results
from ditta_ros.evaluation.report.summary import summarise
from made_outcomes import latency, outcome, scores, without_truth


def pairs(changes: list[float], under: str = '25%', method: str = 'ditta') -> list[Outcome]:
    made = []
    for index, change in enumerate(changes):
        made += [
            outcome(Job(f's{index}', 'iss', under), scores(.5), adaptation_s=0.0,
                    peak_memory_mb=700.0, latencies=(latency('frozen', 10.0),)),
            outcome(Job(f's{index}', method, under),
                    scores(.5 + change / 100, mvc8=.7 + change / 50))]
    return made


def said(made: list[Outcome]) -> list[str]:
    return summarise(Results(tuple(made)))


@pytest.mark.parametrize(('changes', 'verdict'), [
    ([4, 5, 6], 'Adapting helps on these recordings.'),
    ([-4, -5, -6], 'Adapting does harm on these recordings.'),
    ([4, -5, 6], 'Adapting makes no clear difference'),  # 1.7 +- 3.4
    ([.3, .31, .32], 'Adapting makes no clear difference'),  # sure, but too small
    ([4, 5], 'Adapting helps on these recordings.'),
    ([4, -1], 'Adapting makes no clear difference'),
    ([4], 'Adapting helps on these recordings.'),
    ([-4], 'Adapting does harm on these recordings.'),
])
def test_the_answer(changes: list[float], verdict: str) -> None:
    assert said(pairs(changes))[0].startswith(verdict)


def test_by_how_much_and_at_what_cost() -> None:
    first, steady, cost = said(pairs([4, 5, 6]))
    assert first.endswith(
        'DiTTA with a warm-up of 25%: mIoU 50.0 to 55.0 % (+5.0 points, better in 3 of 3).')
    assert steady == (
        'Labels become steadier: mVC8 70.0 to 80.0 % (+10.0 points, better in 3 of 3).')
    assert cost == (
        'The cost: 0.25 s of adaptation per warm-up frame; after it a label takes 20.0 ms instead '
        'of 10.0 ms (median); the process took up to 900 MB (+200).')


def test_few_streams_are_no_evidence() -> None:
    assert 'This is one stream alone' in said(pairs([4]))[0]
    assert 'These are two streams alone' in said(pairs([4, 5]))[0]


def test_dropped_frames_are_a_cost() -> None:
    made = pairs([4])
    made.append(outcome(Job('s1', 'ditta', '25%'), dropped=7))
    assert '7 frames were dropped' in said(made)[2]


def test_other_warm_ups() -> None:
    made = pairs([1, 1, 1]) + [
        outcome(each.job.__class__(each.job.source, each.job.method, '50%'), each.scores,
                warm_up_frames=10) for each in pairs([3, 3])]
    assert said(made)[-1] == 'Other warm-ups: change of mIoU with 50% +3.0 points.'


def test_without_truth() -> None:
    first, alike, _ = said([
        without_truth(Job('a', 'iss', '25%'), .3), without_truth(Job('a', 'ditta', '25%'), .1)])
    assert first == (
        'These recordings have no truth, so whether labels are right is not known. With DiTTA and '
        'a warm-up of 25% labels flicker less: flicker 30.0 to 10.0 % (-20.0 points); reliability '
        '80.0 to 80.0 % (±0.0 points).')
    assert alike == '90.0 % of the pixels are labelled as by the plain model.'


@pytest.mark.parametrize(('after', 'words'), [(.3, 'flicker alike'), (.5, 'flicker more')])
def test_flicker_in_words(after: float, words: str) -> None:
    made = [without_truth(Job('a', 'iss', '25%'), .3),
            without_truth(Job('a', 'ditta', '25%'), after)]
    assert words in said(made)[0]


def test_what_cannot_be_said() -> None:
    assert said([]) == ['No job has finished, so there is nothing to report yet.']
    assert 'evaluate ditta' in said([outcome(Job('a', 'iss', '25%'))])[0]
    assert 'nothing to compare with' in said([outcome(Job('a', 'ditta', '25%'))])[0]
    assert 'variants alone' in said([outcome(Job('a', 'ditta', '25%', 0, {}, 'tau=0.5'))])[0]


def test_another_method_where_ditta_did_not_run() -> None:
    assert 'TENT with a warm-up' in said(pairs([4], method='tent'))[0]


@pytest.mark.parametrize(('dropper', 'said_of_it'), [
    (1, 'DiTTA dropped 7 frames and the plain model 0'),
    (0, 'DiTTA dropped 0 frames and the plain model 7')])
def test_of_different_frames_nothing_is_concluded(dropper: int, said_of_it: str) -> None:
    made = pairs([4, 5, 6])
    made[dropper] = dataclasses.replace(made[dropper], dropped=7)
    first = said(made)[0]
    assert first.startswith('Whether adapting helps cannot be said at this rate')
    assert said_of_it in first


def test_seeds_of_one_source_are_no_streams_of_their_own() -> None:
    made = [
        dataclasses.replace(each, job=dataclasses.replace(each.job, source='s', seed=index // 2))
        for index, each in enumerate(pairs([4, 5, 6]))]
    assert 'This is one stream alone' in said(made)[0]
