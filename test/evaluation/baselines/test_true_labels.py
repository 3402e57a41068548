"""The upper bound learns what the frames' truth says, as DiTTA's head would."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from ditta_ros.adaptation import Adapter, Sample
from ditta_ros.evaluation.baselines import TrueFrame, open_method
from ditta_ros.evaluation.source import SourceFrame
from ditta_ros.frame import Frame
from ditta_ros.labeller import IssLabeller
from ditta_ros.settings import AdaptationSettings, from_flat

VALUES = {
    'warm_up.amount': 3.0, 'adaptation.passes': 2, 'adaptation.learning_rate': 1e-3,
    'adaptation.add_on_start': 'drawn'}
SETTINGS = from_flat(VALUES)


def without_truth(frame: TrueFrame) -> Frame:
    return Frame(frame.stamp_ns, frame.frame_id, frame.rgb)


def test_it_takes_the_steps_of_the_adapter_on_the_truth(
    segmenter, frames, fed, state, changed,
) -> None:
    method = open_method('true_labels', SETTINGS, segmenter)
    # The second frame has no truth, and is still the predecessor of the third.
    fed(method, [frames[0], without_truth(frames[1]), frames[2], frames[3]])
    assert method.status()['adaptation_steps'] == 4
    adapter = Adapter(copy.deepcopy(segmenter.head), AdaptationSettings(
        learning_rate=1e-3, contrast_weight=0.0))
    features = [segmenter.encode(frame) for frame in frames[:3]]
    labeller = IssLabeller(segmenter.head)
    for _ in range(2):
        for t in (0, 2):
            label, _ = labeller.label(features[t], frames[t].size_px, SETTINGS.tau)
            adapter.step(Sample(
                features[t], features[t - 1] if t else None, label,
                torch.zeros(frames[t].size_px, dtype=torch.int16), frames[t].truth))
    assert changed(state(adapter.head), {
        f'0.{name}': value for name, value in method.learner.learnt().items()}) == set()


def test_it_comes_nearer_to_the_truth(segmenter, frames, fed) -> None:
    settings = from_flat({**VALUES, 'adaptation.passes': 10})
    method = open_method('true_labels', settings, segmenter)
    out = fed(method, frames)
    plain = fed(open_method('iss', settings, segmenter), frames)

    def accuracy(of) -> float:
        return float(np.mean([
            (each.label == frame.truth).float().mean()
            for each, frame in zip(of[3:], frames[3:], strict=True)]))

    assert accuracy(out) > accuracy(plain) + 0.05


def test_unlabelled_pixels_are_learnt_as_the_segmenter_labels_them(
    segmenter, frames, fed, state, changed,
) -> None:
    heads = []
    for blank in (True, False):
        method = open_method('true_labels', SETTINGS, segmenter)
        seen = []
        for frame in frames[:3]:
            label = IssLabeller(segmenter.head).label(
                segmenter.encode(frame), frame.size_px, SETTINGS.tau)[0]
            truth = torch.full_like(label, 255) if blank else label
            seen.append(TrueFrame(frame.stamp_ns, frame.frame_id, frame.rgb, truth))
        fed(method, seen)
        heads.append(dict(method.learner.learnt()))
    assert changed(*heads) == set()


def test_truth_of_other_classes_is_refused(segmenter, frames) -> None:
    method = open_method('true_labels', SETTINGS, segmenter)
    truth = torch.full_like(frames[0].truth, 12)
    with pytest.raises(ValueError, match=r"segmenter's classes, 0\.\.11 or 255, got 12"):
        method.feed(TrueFrame(0, '', frames[0].rgb, truth))
    method.feed(TrueFrame(0, '', frames[0].rgb, torch.full_like(truth, 255)))


@pytest.mark.parametrize('truth', [
    torch.zeros(4, 5, dtype=torch.uint8), torch.zeros(32, 40, dtype=torch.int64)])
def test_truth_that_does_not_fit_its_frame(truth) -> None:
    rgb = torch.zeros(32, 40, 3, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'truth is uint8 \[32, 40\] like its frame, got'):
        TrueFrame(0, '', rgb, truth)


def test_a_frame_of_a_source_brings_its_truth() -> None:
    rgb = np.arange(32 * 40 * 3, dtype=np.uint8).reshape(32, 40, 3)
    label = np.full((32, 40), 3, np.uint8)
    frame = TrueFrame.of(SourceFrame(5, rgb, label, 'left'))
    assert (frame.stamp_ns, frame.frame_id) == (5, 'left')
    assert torch.equal(frame.rgb, torch.from_numpy(rgb)) and (frame.truth == 3).all()
    assert TrueFrame.of(SourceFrame(5, rgb)).truth is None


def test_truth_is_shrunk_to_the_nearest_pixel() -> None:
    truth = torch.zeros(64, 96, dtype=torch.uint8)
    truth[:, 48:], truth[32:, :48] = 7, 255
    frame = TrueFrame(1, 'c', torch.zeros(64, 96, 3, dtype=torch.uint8), truth)
    assert frame.shrunk(0) is frame
    small = frame.shrunk(48)
    expected = torch.zeros(32, 48, dtype=torch.uint8)
    expected[:, 24:], expected[16:, :24] = 7, 255
    assert isinstance(small, TrueFrame) and small.size_px == (32, 48)
    assert torch.equal(small.truth, expected)
    untold = TrueFrame(1, 'c', frame.rgb).shrunk(48)
    assert untold.size_px == (32, 48)
