"""Masks and votes are those of DiTTA's warm-up; then the objects are tracked on, unlearnt."""

from __future__ import annotations

import torch

from ditta_ros.evaluation.baselines import open_method
from ditta_ros.labeller import IssLabeller
from ditta_ros.losses import distill_label
from ditta_ros.settings import from_flat
from ditta_ros.tracker import Sam2Tracker
from ditta_ros.warm_up import WarmUp

WARM_UP = 4
SETTINGS = from_flat({'warm_up.amount': float(WARM_UP), 'tau': 0.6, 'targets.protect_from': 1.0})


def warmed_up(settings, segmenter, tracker, frames):
    """Return the samples of DiTTA's own warm-up, and its number of objects."""
    warm_up = WarmUp(settings, tracker, len(segmenter.label_set), frames[0].size_px)
    labeller = IssLabeller(segmenter.head)
    for frame in frames:
        features = segmenter.encode(frame)
        label, reliability = labeller.label(features, frame.size_px, settings.tau)
        warm_up.record(frame, features, label, reliability)
        while warm_up.track_next():
            pass
    return warm_up.samples(), warm_up.objects


def check_offline(settings, segmenter, tracker, frames, fed) -> None:
    """A warm-up frame that comes again is DiTTA's target of it, to the pixel."""
    samples, objects = warmed_up(settings, segmenter, tracker, frames[:WARM_UP])
    method = open_method('zero_shot', settings, segmenter, tracker)
    once = fed(method, frames)
    assert method.status()['objects'] == objects > 0
    again = fed(method, frames[:WARM_UP])
    targets = [distill_label(each.object_label, each.iss_label) for each in samples]
    for got, target in zip(again, targets, strict=True):
        assert torch.equal(got.label, target)
    assert any((each.object_label != 255).any() for each in samples)
    # The last frame of the warm-up has no later one, so it had all its masks the first time, and
    # all votes but those of masks on their way back.
    assert (once[WARM_UP - 1].label == targets[-1]).float().mean() > 0.9


def test_offline_it_is_the_target_of_the_distillation(segmenter, tracker, frames, fed) -> None:
    check_offline(SETTINGS, segmenter, tracker, frames, fed)


def test_also_with_masks_of_sam2(segmenter, frames, fed) -> None:
    check_offline(
        SETTINGS, segmenter, Sam2Tracker.load(SETTINGS.tracker, 'cpu'), frames, fed)


def test_also_where_the_past_is_short(segmenter, frames, fed) -> None:
    settings = from_flat({
        'warm_up.amount': float(WARM_UP), 'tau': 0.6, 'targets.protect_from': 1.0,
        'tracker.backward_buffer_frames': 1})
    tracker = Sam2Tracker.load(settings.tracker, 'cpu')
    check_offline(settings, segmenter, tracker, frames, fed)


def test_after_the_warm_up_objects_keep_their_class(segmenter, tracker, frames, fed) -> None:
    method = open_method('zero_shot', SETTINGS, segmenter, tracker)
    fed(method, frames[:WARM_UP])
    scores = method.learner.learnt()['scores'].clone()
    classes, best = scores.argmax(1), scores.amax(1)
    plain = fed(open_method('iss', SETTINGS, segmenter), frames)
    checked = 0
    for t in range(WARM_UP, len(frames)):
        got = method.feed(frames[t])
        assert not method.work()
        assert torch.equal(got.reliability, plain[t].reliability)
        free = torch.ones(frames[t].size_px, dtype=torch.bool)
        # An exact tracker's objects are instances; those of one instance overlap entirely.
        for instance in set(tracker.instances.values()):
            mask = tracker.instance[t] == instance
            numbers = [n for n, it in tracker.instances.items() if it == instance]
            winner = max(numbers, key=lambda number: (float(best[number]), number))
            if best[winner] > 0:
                assert (got.label[mask] == classes[winner]).all()
                free &= ~mask
                checked += int(mask.sum())
        assert torch.equal(got.label[free], plain[t].label[free])
    assert checked > 1000


def test_online_votes_are_of_the_frames_so_far(segmenter, tracker, frames, fed) -> None:
    """The first frame is painted as if the warm-up ended with it."""
    method = open_method('zero_shot', SETTINGS, segmenter, tracker)
    first = method.feed(frames[0])
    (sample,), _ = warmed_up(SETTINGS, segmenter, tracker, frames[:1])
    assert torch.equal(first.label, distill_label(sample.object_label, sample.iss_label))
    assert (sample.object_label != 255).any()


def test_labels_do_not_depend_on_when_work_is_done(segmenter, tracker, frames, fed) -> None:
    eager = open_method('zero_shot', SETTINGS, segmenter, tracker)
    expected = fed(eager, frames)
    lazy = open_method('zero_shot', SETTINGS, segmenter, tracker)
    for frame, each in zip(frames, expected, strict=True):
        assert torch.equal(lazy.feed(frame).label, each.label)
    while lazy.work():
        pass
    assert torch.equal(lazy.learner.learnt()['scores'], eager.learner.learnt()['scores'])


def test_what_it_holds_is_bounded(segmenter, frames, fed) -> None:
    settings = from_flat({
        'warm_up.amount': float(WARM_UP), 'tau': 0.6, 'targets.protect_from': 1.0,
        'tracker.backward_buffer_frames': 2})
    tracker = Sam2Tracker.load(settings.tracker, 'cpu')
    method = open_method('zero_shot', settings, segmenter, tracker)
    fed(method, frames[:WARM_UP])
    assert len(method.learner._past) == 2
    fed(method, frames[WARM_UP:])
    assert len(method.learner._past) == 0
    assert len(method.learner._masks) == WARM_UP
    assert tracker.memory_mb <= tracker.memory_bound_mb(method.status()['objects'])
    method.close()
    assert tracker.memory_mb == 0


def test_a_jump_ends_the_tracking(segmenter, frames, fed) -> None:
    tracker = Sam2Tracker.load(SETTINGS.tracker, 'cpu')
    method = open_method('zero_shot', SETTINGS, segmenter, tracker)
    fed(method, frames)
    again = fed(method, frames[WARM_UP:])  # back, to frames that were no warm-up
    plain = fed(open_method('iss', SETTINGS, segmenter), frames[WARM_UP:])
    for got, expected in zip(again, plain, strict=True):
        assert torch.equal(got.label, expected.label)
    assert tracker.memory_mb == 0
