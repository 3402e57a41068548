"""An upper bound: the decode head learns the warm-up's true labels.

By DiTTA's losses and optimiser, from all frames, in the camera's own colours; all of what was
learnt is in force, without a guard.  So DiTTA may come above it where colours are off.

How far it is above DiTTA says what better targets could bring; how far it is below perfection,
what this head and this length of warm-up cannot.  A pixel without truth is learnt as the frozen
segmenter labels it; a frame without any truth is not learnt from.  There are no objects, so no
contrastive loss.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ditta_ros.adaptation import Adapter, Sample
from ditta_ros.evaluation.baselines.true_frame import TrueFrame
from ditta_ros.frame import Frame
from ditta_ros.kept_features import kept
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.labels import UNLABELLED
from ditta_ros.mapping import ClassMapping
from ditta_ros.matching import match_features
from ditta_ros.segmenter import Features, Segmenter
from ditta_ros.settings import Settings


@dataclass(frozen=True, eq=False)
class _Recorded:
    features: Features
    label: Tensor  # [H, W], the frozen segmenter's
    truth: Tensor | None  # uint8 [H, W]


class TrueLabels:
    """``adaptation.passes`` over the frames with truth, in order, once the warm-up has been seen.

    The head and its add-on are in force from the last step on.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
    ) -> None:
        """``mapping`` must be None: truth is of the segmenter's own classes."""
        assert mapping is None
        self.unit = 'learn'
        self.steps = 0
        self.objects = 0
        self._settings = settings
        self._segmenter = segmenter
        self._matches = (
            settings.adaptation.add_on_start == 'matching' and not segmenter.has_add_on)
        self._adapter = Adapter(
            copy.deepcopy(segmenter.head),
            dataclasses.replace(settings.adaptation, contrast_weight=0.0))
        self._labeller: IssLabeller | TemporalLabeller = IssLabeller(segmenter.head)
        self._recorded: list[_Recorded] = []

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Label the next frame; raises ValueError for truth that is no class of the segmenter."""
        features = self._segmenter.encode(frame)
        label, reliability = self._labeller.label(
            features, frame.size_px, self._settings.tau)
        if teaches:
            truth = frame.truth if isinstance(frame, TrueFrame) else None
            if truth is not None:
                self._check(truth)
            self._recorded.append(
                _Recorded(kept(features, self._settings.adaptation), label, truth))
        return label, reliability

    def work(self, no_more: bool) -> bool:
        """Take the next step of the passes."""
        if not no_more:
            return False
        taught = [t for t, item in enumerate(self._recorded) if item.truth is not None]
        planned = len(taught) * self._settings.adaptation.passes
        if self.steps >= planned:
            return False
        if self._matches:  # in place, before the first step
            match_features(self._adapter.head, (each.features for each in self._recorded))
            self._matches = False
        self._adapter.step(self._sample(taught[self.steps % len(taught)]))
        self.steps += 1
        if self.steps == planned:
            self._labeller = TemporalLabeller(self._adapter.head.requires_grad_(False))
            self._recorded.clear()
        return True

    def learnt(self) -> Mapping[str, Tensor]:
        """Return the head's state."""
        return self._adapter.head.state_dict()

    def forget(self) -> None:
        """Drop the previous frame."""
        self._labeller.forget()

    def _sample(self, t: int) -> Sample:
        now, previous = self._recorded[t], self._recorded[t - 1].features if t else None
        assert now.truth is not None  # or it would not be learnt from
        none = torch.zeros_like(now.label, dtype=torch.int16)
        return Sample(
            now.features, previous, now.label, none, now.truth.to(now.label.device))

    def _check(self, truth: Tensor) -> None:
        classes = len(self._segmenter.label_set)
        known = truth[truth != UNLABELLED]
        if known.numel() and int(known.max()) >= classes:
            raise ValueError(
                f"truth must be the segmenter's classes, 0..{classes - 1} or {UNLABELLED}, got "
                f'{int(known.max())}: map the labels first')
