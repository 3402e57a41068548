"""What the bed shares is what would be computed again; with the embedded models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ditta_ros.evaluation.baselines import TrueFrame, open_method
from ditta_ros.evaluation.bed.cells import Job, run
from ditta_ros.evaluation.bed.streams import CHOOSE, world_streams
from ditta_ros.evaluation.bed.targets import measure_targets
from ditta_ros.evaluation.sources import world_source
from ditta_ros.evaluation.streams import score
from ditta_ros.frame import Frame
from ditta_ros.labeller import IssLabeller
from ditta_ros.opening import open_session
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import SettingError, Settings, WarmUpSettings, from_flat
from fakes import InstanceTracker
from random_models import save_random_segformer
from sessions import SIZE_PX, stream

STREAM = world_streams(CHOOSE, ('noise:0.5',), 1, 10)[0]
# Without the guard, which leaves no step or no promotion to so short a warm-up.
SLOW = {'adaptation.passes': 1, 'adaptation.held_out_percent': 0.0}
FAST = {**SLOW, 'adaptation.learning_rate': 1e-3}


def test_a_cell_is_what_sessions_alone_reach() -> None:
    cells = run(Job(STREAM, (20.0, 40.0), {'slow': SLOW, 'fast': FAST}, SLOW))
    assert [cell.warm_up_percent for cell in cells] == [20.0, 40.0]
    for cell, warm_up_frames in zip(cells, (2, 4), strict=True):
        source = world_source(STREAM.spec)
        for name, values in (('slow', SLOW), ('fast', FAST)):
            alone = open_session(from_flat({**values, 'warm_up.amount': float(warm_up_frames)}))
            expected = score(alone, source, warm_up_frames)
            got = cell.adapted[name]
            assert got.reached.miou == expected.miou
            assert list(got.reached.class_iou.values()) == [
                iou for iou in expected.class_iou if not np.isnan(iou)]
            for key in ('objects', 'adaptation_steps', 'promoted'):
                assert got.status[key] == alone.status()[key]
            assert got.status['adaptation_steps'] == warm_up_frames
            assert got.targets.share == 1
        plain = score(open_session(from_flat({'warm_up.amount': 0.0})), source, warm_up_frames)
        assert cell.iss.miou == plain.miou
        assert cell.ceiling is not None
        assert cell.ceiling.miou not in (cell.iss.miou, cell.adapted['slow'].reached.miou)
        # Tracking and votes are the same for both.
        assert cell.adapted['slow'].targets == cell.adapted['fast'].targets
        assert cell.adapted['slow'].reached != cell.adapted['fast'].reached
    assert cells[0].adapted['slow'].targets != cells[1].adapted['slow'].targets


def test_the_ceiling_is_that_of_true_labels() -> None:
    cell = run(Job(STREAM, (20.0,), {'slow': SLOW}, FAST))[0]
    method = open_method('true_labels', from_flat({**FAST, 'warm_up.amount': 2.0}))
    right = pixels = 0
    for index, frame in enumerate(world_source(STREAM.spec)):
        label = method.feed(TrueFrame.of(frame)).label.numpy()
        while method.work():
            pass
        if index >= 2:
            right += int((label == frame.label).sum())
            pixels += label.size
    assert cell.ceiling is not None
    assert cell.ceiling.accuracy == pytest.approx(right / pixels)


@pytest.mark.parametrize('own', [{'segmenter.max_side_px': 128}, {'adaptation.seed': 1}])
def test_what_a_stream_shares_cannot_differ(own: dict) -> None:
    with pytest.raises(SettingError, match='variants of the bed share'):
        run(Job(STREAM, (20.0,), {'slow': SLOW, 'other': own}, SLOW))


def test_targets_are_those_of_a_warm_up(tmp_path) -> None:
    """The objects are the two halves of the picture: a target is one class in each of them."""
    segmenter = Segmenter.load(str(save_random_segformer(tmp_path)))
    settings = Settings(warm_up=WarmUpSettings(amount=3.0))
    instance = torch.ones((3, *SIZE_PX), dtype=torch.int64)
    instance[:, :, SIZE_PX[1] // 2:] = 2
    taught, frames = [], []
    for frame in stream(5):
        taught.append(IssLabeller(segmenter.head).label(
            segmenter.encode(frame), SIZE_PX, settings.tau))
        frames.append(truly(frame, taught[-1][0]))
    got = measure_targets(settings, segmenter, InstanceTracker(instance), frames, taught)
    assert (got.iss_accuracy, got.iss_miou, got.share) == (1, 1, 1)  # the truth is what it says
    # Of each half one class is left: at best its most frequent one.
    most = sum(int(half.flatten().bincount().max())
               for label, _ in taught[:3] for half in label.long().chunk(2, 1))
    assert 0 < got.accuracy <= most / (3 * SIZE_PX[0] * SIZE_PX[1]) < 1


def truly(frame: Frame, truth: torch.Tensor) -> TrueFrame:
    return TrueFrame(**vars(frame), truth=truth)
