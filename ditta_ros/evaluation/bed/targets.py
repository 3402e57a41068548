"""How right the labels are that a warm-up teaches, against those of the frozen segmenter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ditta_ros.calibration import Calibration
from ditta_ros.evaluation.baselines import TrueFrame
from ditta_ros.evaluation.bed.reached import accuracy
from ditta_ros.evaluation.metrics import Confusion
from ditta_ros.labels import UNLABELLED, unlabelled_in
from ditta_ros.losses import distill_label
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings
from ditta_ros.tracker import MaskTracker
from ditta_ros.warm_up import WarmUp, length_frames

Taught = tuple[Tensor, Tensor]  # label [H, W] and reliability [H, W] of the frozen segmenter


@dataclass(frozen=True)
class Targets:
    """Distillation and ISS labels of a warm-up against truth, where a pixel has all three.

    Each in 0..1, NaN where nothing can be compared.
    """

    accuracy: float
    miou: float
    iss_accuracy: float
    iss_miou: float
    share: float  # of the pixels with truth that have a target


class TargetMeter:
    """Accumulates a warm-up's labels [H, W], uint8, frame by frame."""

    def __init__(self, classes: int) -> None:
        self._target, self._iss = Confusion(classes), Confusion(classes)
        self._pixels = self._with_target = 0

    def add(self, truth: np.ndarray, target: np.ndarray, iss: np.ndarray) -> None:
        """Add a frame; truth and target are 255 where there is none."""
        has_truth, has_target = truth != UNLABELLED, target != UNLABELLED
        self._pixels += int(has_truth.sum())
        self._with_target += int((has_truth & has_target).sum())
        compared = np.where(has_target, truth, UNLABELLED)
        self._target.add(compared, target)
        self._iss.add(compared, iss)

    def targets(self) -> Targets:
        """Return the measures over what was added."""
        return Targets(
            accuracy(self._target), self._target.mean_iou(), accuracy(self._iss),
            self._iss.mean_iou(),
            self._with_target / self._pixels if self._pixels else float('nan'))


@torch.no_grad()
def walked(
    settings: Settings, segmenter: Segmenter, tracker: MaskTracker,
    frames: Sequence[TrueFrame], taught: Sequence[Taught],
) -> WarmUp:
    """Return a warm-up walked as a session does, all of it tracked.

    ``frames`` are as the networks see them, ``taught`` is what the frozen segmenter says of each;
    both may go on after the warm-up.
    """
    rule = settings.adaptation
    calibration = Calibration(
        segmenter, settings.tau, rule.colours == 'align', rule.statistics == 'align',
        rule.colours_share)
    warm_up = WarmUp(
        settings, tracker, len(segmenter.label_set), frames[0].size_px, calibration)
    length = length_frames(settings.warm_up) or len(frames)
    for frame, (label, reliability) in zip(frames[:length], taught[:length], strict=True):
        warm_up.record(frame, segmenter.encode(frame), label, reliability)
        while warm_up.track_next():
            pass
    return warm_up


@torch.no_grad()
def measure_targets(
    settings: Settings, segmenter: Segmenter, tracker: MaskTracker,
    frames: Sequence[TrueFrame], taught: Sequence[Taught],
) -> Targets:
    """Measure what a warm-up would teach; the arguments are those of :func:`walked`."""
    warm_up = walked(settings, segmenter, tracker, frames, taught)
    meter = TargetMeter(len(segmenter.label_set))
    # What is taught is set against the plain model, not against a teacher in other colours.
    for frame, (iss, _), sample in zip(frames, taught, warm_up.samples(), strict=False):
        assert frame.truth is not None  # the bed's sources have truth of every frame
        target = distill_label(sample.object_label, sample.iss_label)
        target = target.masked_fill(target == unlabelled_in(target), UNLABELLED)
        meter.add(frame.truth.cpu().numpy(), target.cpu().numpy(), iss.cpu().numpy())
    return meter.targets()
