"""One stream from the first frame to the frozen, adapted model."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
import torch

from ditta_ros.adaptation import Adapter, Losses, Sample
from ditta_ros.labels import LabelSet, default_palette
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Session
from ditta_ros.settings import AdaptationSettings, SegmenterSettings, Settings, WarmUpSettings
from fakes import InstanceTracker
from random_models import save_random_segformer
from sessions import FRAMES, SIZE_PX, WARM_UP, finish, session, stream


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path_factory.mktemp('segformer'))))


def test_every_frame_is_labelled_and_the_phases_follow(segmenter: Segmenter) -> None:
    walk = session(segmenter)
    phases = []
    for frame in stream():
        out = walk.feed(frame)
        phases.append(out.phase)
        assert (out.stamp_ns, out.frame_id) == (frame.stamp_ns, 'camera')
        assert out.label.shape == SIZE_PX
        assert out.label.dtype == torch.uint8
        assert out.reliability.shape == SIZE_PX
        assert out.reliability.min() >= 0
        assert out.reliability.max() <= 1
        finish(walk)
    assert phases == [Phase.WARM_UP] * WARM_UP + [Phase.FROZEN] * (FRAMES - WARM_UP)
    status = walk.status()
    assert status['adaptation_steps'] == status['adaptation_steps_planned'] == 2 * WARM_UP
    assert status['warm_up_frames'] == WARM_UP
    assert status['objects'] >= 1
    assert status['model'] == 'adapted'


def test_work_comes_in_units_and_labels_do_not_wait_for_it(segmenter: Segmenter) -> None:
    walk = session(segmenter)
    frames = stream()
    assert not walk.work()
    for frame in frames[:4]:
        assert walk.feed(frame).phase is Phase.WARM_UP  # nothing has been tracked yet
    for _ in range(WARM_UP):
        assert walk.work()  # one frame tracked
        assert walk.phase is Phase.WARM_UP
    assert walk.work()  # targets
    assert walk.phase is Phase.ADAPT
    assert walk.feed(frames[4]).phase is Phase.ADAPT
    assert finish(walk) == 2 * WARM_UP + 1  # steps, and the swap
    assert walk.feed(frames[5]).phase is Phase.FROZEN


def test_learning_while_the_warm_up_goes_on(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every frame is learned from as often as passes say, the newest frames last."""
    taken: list[tuple[Phase, float]] = []
    step = Adapter.step

    def watched(self: Adapter, sample: Sample) -> Losses:
        taken.append((walk.phase, float(sample.features[0].sum())))
        return step(self, sample)

    monkeypatch.setattr(Adapter, 'step', watched)
    walk = session(segmenter, amount=4.0)
    walk.settings = dataclasses.replace(walk.settings, adaptation=AdaptationSettings(
        passes=2, when='while_warming_up', held_out_percent=0.0))
    frames = stream()
    names = {float(segmenter.encode(frame)[0].sum()): t for t, frame in enumerate(frames)}
    assert len(names) == len(frames)
    for frame in frames:
        walk.feed(frame)
        finish(walk)
    assert [names[name] for _, name in taken] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [phase for phase, _ in taken] == [Phase.WARM_UP] * 5 + [Phase.ADAPT] * 3
    assert walk.status()['adaptation_steps_planned'] == 8
    assert walk.phase is Phase.FROZEN


def test_the_frozen_model_labels_until_the_swap_and_stays_untouched(segmenter: Segmenter) -> None:
    plain = Session(Settings(warm_up=WarmUpSettings(amount=0.0)), segmenter, None)
    before = {name: value.clone() for name, value in segmenter.head.state_dict().items()}
    walk = session(segmenter, passes=20)
    frames = stream()
    for frame in frames[:WARM_UP]:
        assert torch.equal(walk.feed(frame).label, plain.feed(frame).label)
    finish(walk)
    adapted, iss = walk.feed(frames[4]).label, plain.feed(frames[4]).label
    assert not torch.equal(adapted, iss)
    for name, value in segmenter.head.state_dict().items():
        assert torch.equal(value, before[name]), name
    walk.reset()
    assert walk.phase is Phase.WARM_UP
    assert torch.equal(walk.feed(frames[4]).label, iss)


def test_no_warm_up_is_the_plain_segmenter(segmenter: Segmenter) -> None:
    walk = session(segmenter, amount=0.0)
    assert [walk.feed(frame).phase for frame in stream(2)] == [Phase.FROZEN] * 2
    assert not walk.work()
    assert walk.status()['model'] == 'iss'


def test_the_memory_of_a_warm_up_is_told_before_it_begins(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    walk = session(segmenter, amount=3.0)
    with caplog.at_level(logging.INFO):
        walk.feed(stream(1)[0])
        told = [item for item in caplog.messages if item.startswith('a warm-up of 3 frames')]
        walk.feed(stream(2)[1])
    assert len(told) == 1
    assert 'MB' in told[0]


def test_the_end_of_a_short_stream_closes_its_warm_up(segmenter: Segmenter) -> None:
    walk = session(segmenter, amount=5.0)
    for frame in stream(2):
        walk.feed(frame)
        finish(walk)
    assert walk.phase is Phase.WARM_UP
    walk.end_of_stream()
    finish(walk)
    assert walk.phase is Phase.FROZEN
    assert walk.status()['warm_up_frames'] == 2


def test_a_stamp_that_goes_back_starts_the_warm_up_again(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    walk = session(segmenter)
    frames = stream()
    walk.feed(frames[1])
    finish(walk)
    walk.feed(frames[2])
    with caplog.at_level(logging.WARNING):
        walk.feed(frames[0])
    assert 'the stamp went back by 0.200 s' in caplog.text
    assert walk.status()['warm_up_frames'] == 1
    assert walk.status()['warm_up_restarts'] == 1


def test_after_freezing_a_jump_forgets_the_previous_frame_alone(segmenter: Segmenter) -> None:
    walk = session(segmenter)
    frames = stream()
    for frame in frames[:WARM_UP]:
        walk.feed(frame)
        finish(walk)
    first = walk.feed(frames[4])  # without a predecessor
    follows = walk.feed(frames[5])
    again = walk.feed(frames[4])  # the stamp went back
    assert torch.equal(again.reliability, first.reliability)
    walk.feed(frames[4])
    assert torch.equal(walk.feed(frames[5]).reliability, follows.reliability)
    assert walk.phase is Phase.FROZEN


def test_a_frame_of_another_size_is_labelled_in_its_own_size(segmenter: Segmenter) -> None:
    walk = Session(Settings(warm_up=WarmUpSettings(amount=0.0)), segmenter, None)
    for size_px in (SIZE_PX, (40, 96)):
        frame = stream(1, size_px)[0]
        assert walk.feed(frame).label.shape == size_px


@pytest.mark.parametrize(('dtype', 'size'), [('float32', 4), ('float16', 2), ('bfloat16', 2)])
def test_the_warm_ups_features_wait_as_told(
    segmenter: Segmenter, dtype: str, size: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = []
    monkeypatch.setattr(Adapter, 'step', lambda self, sample: waiting.append(sample.features))
    settings = Settings(
        warm_up=WarmUpSettings(amount=2),
        adaptation=AdaptationSettings(
            passes=1, features_device='cpu', features_dtype=dtype, held_out_percent=0.0))
    walk = Session(settings, segmenter, InstanceTracker(
        torch.ones((FRAMES, *SIZE_PX), dtype=torch.int64)))
    frames = stream(2)
    for frame in frames:
        walk.feed(frame)
    walk.end_of_stream()
    finish(walk)
    for frame, features in zip(frames, waiting, strict=True):
        for kept, stage in zip(features, segmenter.encode(frame), strict=True):
            assert (kept.element_size(), kept.device.type) == (size, 'cpu')
            torch.testing.assert_close(kept.float(), stage, rtol=1e-2, atol=1e-2)


def test_large_frames_are_segmented_small_and_labelled_in_their_own_size(
    segmenter: Segmenter,
) -> None:
    large, small = (192, 256), (96, 128)
    instance = torch.ones((FRAMES, *small), dtype=torch.int64)
    settings = Settings(
        segmenter=SegmenterSettings(max_side_px=128), warm_up=WarmUpSettings(amount=2),
        adaptation=AdaptationSettings(passes=1, held_out_percent=0.0))
    walk = Session(settings, segmenter, InstanceTracker(instance))
    plain = Session(Settings(warm_up=WarmUpSettings(amount=0.0)), segmenter, None)
    for frame in stream(size_px=large):
        out, iss = walk.feed(frame), plain.feed(frame.shrunk(128))
        assert out.label.shape == out.reliability.shape == large
        if out.phase is Phase.WARM_UP:
            assert torch.equal(out.label[1::2, 1::2], iss.label)
        finish(walk)
    assert walk.phase is Phase.FROZEN
    assert walk.status()['warm_up_restarts'] == 0


def test_the_same_stream_gives_the_same_labels_bit_for_bit(segmenter: Segmenter) -> None:
    runs = []
    for _ in range(2):
        walk = session(segmenter)
        labels = []
        for frame in stream():
            labels.append(walk.feed(frame).label)
            finish(walk)
        runs.append(torch.stack(labels))
    assert torch.equal(*runs)


def test_without_a_reliable_pixel_the_frozen_model_goes_on(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    walk = session(segmenter)
    walk.settings = Settings(warm_up=WarmUpSettings(amount=2.0), tau=1.0)
    walk.reset()
    for frame in stream(3):
        walk.feed(frame)
        # tau 1 asks for an entropy of exactly 0, which a random network never has
        finish(walk)
    assert walk.phase is Phase.FROZEN
    assert walk.status()['model'] == 'iss'
    assert 'no prediction of the warm-up reached the reliability tau 1' in caplog.text


@pytest.fixture
def mapping(segmenter) -> ClassMapping:
    """The first class of the segmenter alone, the others together, and one that nothing is."""
    classes = len(segmenter.label_set)
    target_of = torch.ones(classes, dtype=torch.int64)
    target_of[0] = 0
    return ClassMapping(
        LabelSet(('first', 'rest', 'none'), default_palette(3)), target_of,
        np.array([True, True, False]), np.arange(256, dtype=np.uint8))


def test_with_a_mapping_labels_are_of_the_target_and_learning_is_not(segmenter, mapping) -> None:
    """The plain model, the one that has learnt, and the file of it."""
    plain = session(segmenter)
    mapped = Session(plain.settings, segmenter, session(segmenter)._tracker, mapping)
    assert mapped.label_set is mapping.label_set
    for frame in stream():
        label = plain.feed(frame).label
        got = mapped.feed(frame).label
        if not mapped.status()['promoted']:
            # The rest is the largest of its logits at least, more where that changes between two
            # positions: what wins over it has won over each of them.
            assert (label[got == 0] == 0).all() and got.max() <= 1
        finish(plain)
        finish(mapped)
    assert got.max() <= 1
    ours, theirs = (walk._model.adapted for walk in (plain, mapped))
    assert ours.provenance.classes == theirs.provenance.classes
    for one, other in zip(
            ours.head.state_dict().values(), theirs.head.state_dict().values(), strict=True):
        assert torch.equal(one, other)
