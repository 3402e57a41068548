"""From recorded frames to training samples, with a tracker that knows the truth."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ditta_ros.frame import Frame
from ditta_ros.prompts import Prompt
from ditta_ros.settings import Settings, TargetSettings, WarmUpSettings
from ditta_ros.targets import paint
from ditta_ros.tracker import Started
from ditta_ros.warm_up import WarmUp, length_frames
from fakes import InstanceTracker

SIZE_PX = (6, 10)


def features() -> tuple[torch.Tensor, ...]:
    return tuple(torch.rand(1, 2, 2, 3) for _ in range(4))


def frame(t: int) -> Frame:
    return Frame(t * 100_000_000, 'camera', torch.zeros((*SIZE_PX, 3), dtype=torch.uint8))


def warm_up(instance: torch.Tensor, amount: float, unit: str = 'frames',
            buffer_frames: int | None = None) -> WarmUp:
    settings = Settings(
        warm_up=WarmUpSettings(unit=unit, amount=amount),
        # Or the margin around the left object would cover all of the right one.
        targets=TargetSettings(covered_margin_px=0, protect_from=1.0))
    return WarmUp(settings, InstanceTracker(instance, buffer_frames), 3, SIZE_PX)


def two_sided() -> tuple[torch.Tensor, torch.Tensor]:
    """Instances 1 | 2 side by side, and labels that call them class 1 | 2."""
    instance = torch.ones((3, *SIZE_PX), dtype=torch.int64)
    instance[:, :, 5:] = 2
    return instance, instance.to(torch.uint8)


@pytest.mark.parametrize(('rule', 'frames'), [
    (WarmUpSettings(unit='frames', amount=30.0), 30),
    (WarmUpSettings(unit='frames', amount=0.5), 1),
    (WarmUpSettings(unit='percent', amount=10.0, stream_length_frames=99), 9),
    (WarmUpSettings(unit='percent', amount=10.0, stream_length_frames=5), 1),
    (WarmUpSettings(unit='percent', amount=100.0, stream_length_frames=7), 7),
    (WarmUpSettings(unit='seconds', amount=2.0), None)])
def test_length_in_frames(rule: WarmUpSettings, frames: int | None) -> None:
    assert length_frames(rule) == frames


def test_seconds_are_counted_by_the_stamps_of_the_camera() -> None:
    instance, label = two_sided()
    walk = warm_up(instance, 0.2, 'seconds')
    taken = []
    for t in range(4):  # at 0, 0.1, 0.2 and 0.3 s
        taken.append(walk.takes(frame(t)))
        if taken[-1]:
            walk.record(frame(t), features(), label[0], torch.ones(SIZE_PX))
    assert taken == [True, True, False, False]
    assert walk.closed


def test_objects_are_voted_for_and_painted() -> None:
    instance, label = two_sided()
    # One frame says class 0 in a part of the left object, unreliably: the vote overrules it.
    label = label.clone()
    label[1, :2, :4] = 0
    reliability = torch.full((3, *SIZE_PX), 0.9)
    reliability[1, :2, :4] = 0.1
    walk = warm_up(instance, 3.0)
    for t in range(3):
        walk.record(frame(t), features(), label[t], reliability[t])
    while walk.track_next():
        pass
    samples = walk.samples()
    assert walk.objects == 2
    assert [sample.previous is None for sample in samples] == [True, False, False]
    for t, sample in enumerate(samples):
        assert torch.equal(sample.iss_label, label[t])
        assert torch.equal(sample.object_label, instance[t].to(torch.uint8))
    assert samples[1].previous is samples[0].features


def test_targets_follow_their_settings() -> None:
    # One class in two regions, of which the second is also a part of the first one's object.
    instance = torch.zeros((1, *SIZE_PX), dtype=torch.int64)
    instance[:, :, :3], instance[:, :, 7:] = 1, 2
    label = torch.zeros((1, *SIZE_PX), dtype=torch.uint8)
    label[instance > 0] = 1
    reliability = torch.full((1, *SIZE_PX), 0.5)
    reliability[0, 0, 0], reliability[0, 0, 9] = 0.95, 0.9

    def walked(**rule) -> WarmUp:
        settings = Settings(warm_up=WarmUpSettings(amount=1.0), targets=TargetSettings(
            covered_margin_px=0, **rule))
        walk = WarmUp(settings, InstanceTracker(instance, None), 2, SIZE_PX)
        walk.record(frame(0), features(), label[0], reliability[0])
        while walk.track_next():
            pass
        return walk

    assert walked().objects == 1 and walked().samples()[0].weight is None
    both = walked(prompt_each='region', unmasked='ignored')
    [sample] = both.samples()
    assert both.objects == 2
    assert torch.equal(sample.weight, (instance[0] > 0).float())
    assert walked(prompt_each='region', min_region_px=19).objects == 0


@pytest.mark.parametrize(('buffer_frames', 'labelled'), [(5, [1, 2]), (1, [2]), (0, [])])
def test_a_late_object_is_painted_back_as_far_as_the_buffer_goes(
    buffer_frames: int, labelled: list[int],
) -> None:
    walk = late_second_object(buffer_frames)
    while walk.track_next():
        pass
    samples = walk.samples()
    # Where the second object does not reach, nothing lies: the first has the left side alone.
    seen = [t for t in (1, 2) if 2 in samples[t].object_id.unique().tolist()]
    assert seen == labelled
    assert samples[3].object_id[0].tolist() == [1] * 5 + [2] * 5


def test_a_unit_is_one_frame_and_the_way_back_comes_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracked: list[int] = []
    monkeypatch.setattr(InstanceTracker, '_masks', lambda self, numbers, t: tracked.append(t) or {
        number: self.instance[t] == self.instances[number] for number in numbers})
    walk = late_second_object(buffer_frames=2, frames=5)
    units = []
    while walk.track_next():
        units.append(tracked.copy())
        tracked.clear()
    # A frame with prompts is looked at twice: for the objects before, and for the new ones.
    assert units == [[0, 0], [1], [2], [3, 3], [2], [1], [4]]


def test_a_sample_on_the_way_has_the_votes_so_far() -> None:
    walk = late_second_object(buffer_frames=2, earlier_class=0)
    rows = []
    while walk.track_next():
        if walk.tracked > 1:
            rows.append(walk.sample(1).object_label[0].tolist())
    assert walk.tracked == walk.frames == 4
    # Frames 1, 2 and 3; then object 2, which frame 3 prompts on the right, goes back over 2 and 1.
    assert [row[:5] for row in rows] == [[1] * 5] * 5
    assert [row[5:] for row in rows] == [[255] * 5] * 4 + [[0] * 5]
    final = walk.samples()
    assert torch.equal(final[1].object_label, walk.sample(1).object_label)
    assert walk.sample(1).previous is final[0].features
    assert walk.sample(0).previous is None


def test_the_way_back_is_voted_for_like_the_way_on() -> None:
    """Object 2 is called class 2 where it starts, and class 0 on both frames before."""
    walk = late_second_object(buffer_frames=2, earlier_class=0)
    while walk.track_next():
        pass
    assert walk.samples()[3].object_label[0].tolist() == [1] * 5 + [0] * 5


def late_second_object(
    buffer_frames: int, frames: int = 4, earlier_class: int = 2,
) -> WarmUp:
    """Object 2 lies on the right from frame 1 on; it becomes reliable on frame 3 only."""
    instance = torch.ones((frames, *SIZE_PX), dtype=torch.int64)
    instance[1:, :, 5:] = 2
    label = instance.to(torch.uint8)
    label[1:3, :, 5:] = earlier_class
    reliability = torch.where(instance == 2, 0.79, 0.9)
    reliability[3] = 0.81
    walk = warm_up(instance, float(frames), buffer_frames=buffer_frames)
    for t in range(frames):
        walk.record(frame(t), features(), label[t], reliability[t])
    return walk


def test_a_frame_whose_tracking_fails_is_passed_over() -> None:
    """The tracker begins anew with the next frame, as its state is unknown."""
    instance, label = two_sided()
    walk = warm_up(instance, 3.0)
    prompt = walk._tracker.prompt

    def again(prompts: list[Prompt]) -> Started:
        return prompt([dataclasses.replace(each, t=each.t - 1) for each in prompts])

    def fail(prompts: list[Prompt]) -> None:
        walk._tracker.prompt = again
        raise RuntimeError('out of memory')

    walk._tracker.prompt = fail
    for t in range(3):
        walk.record(frame(t), features(), label[t], torch.full(SIZE_PX, 0.9))
    with pytest.raises(RuntimeError, match='out of memory'):
        walk.track_next()
    while walk.track_next():
        pass
    # Prompted on the second frame, which is the tracker's first.
    samples = walk.samples()
    assert len(samples) == 3
    assert (samples[0].object_label == 255).all()
    assert torch.equal(samples[1].object_label, label[1])
    assert torch.equal(samples[2].object_label, label[2])


def test_targets_are_painted_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    instance, label = two_sided()
    walk = warm_up(instance, 3.0)
    for t in range(3):
        walk.record(frame(t), features(), label[t], torch.full(SIZE_PX, 0.9))
    while walk.track_next():
        pass
    painted = []
    monkeypatch.setattr(
        'ditta_ros.warm_up.paint', lambda masks, *rest: painted.append(1) or paint(masks, *rest))
    samples = walk.samples()
    assert painted == []
    assert samples[1] is samples[1]
    assert painted == [1]
    with pytest.raises(IndexError, match='a warm-up of 3 frames has no frame 3'):
        samples[3]


@pytest.mark.parametrize(('protect_from', 'right'), [(0.8, 255), (0.95, 1)])
def test_what_the_segmenter_is_sure_of_is_not_painted_over(
    protect_from: float, right: int,
) -> None:
    """One object over both halves; the vote goes by the left one, which is the larger."""
    instance = torch.ones((1, *SIZE_PX), dtype=torch.int64)
    label = torch.ones((1, *SIZE_PX), dtype=torch.uint8)
    label[0, :, 7:] = 2
    settings = Settings(
        warm_up=WarmUpSettings(amount=1.0),
        targets=TargetSettings(lambda_freq=0.0, protect_from=protect_from))
    walk = WarmUp(settings, InstanceTracker(instance), 3, SIZE_PX)
    walk.record(frame(0), features(), label[0], torch.full(SIZE_PX, 0.9))
    while walk.track_next():
        pass
    sample, = walk.samples()
    assert sample.object_label[0].tolist() == [1] * 7 + [right] * 3
    assert (sample.object_id > 0).all()  # the masks are as they were
