"""Batch norm statistics alone: what DiTTA's passes would change if its optimiser stood still.

In DiTTA's learning the decode head's batch norm runs in train mode, so its running statistics
move to the stream's own, whatever the losses and the tracker are worth.  Here nothing else
happens: no tracker, no add-on, no gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ditta_ros.frame import Frame
from ditta_ros.kept_features import batch, kept
from ditta_ros.labeller import IssLabeller
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Features, Head, Segmenter
from ditta_ros.settings import Settings


@dataclass(frozen=True)
class BnOnlySettings:
    """``momentum`` of the running statistics in 0..1, torch's default and DiTTA's."""

    momentum: float = 0.1


DEFAULTS = BnOnlySettings()


@torch.no_grad()
def observe(head: Head, previous: Features | None, features: Features) -> None:
    """Move the running statistics by one frame, in a batch with the one before it, as DiTTA."""
    frames = (features,) if previous is None else (previous, features)
    head.batch_norm.train()
    head(batch(head, *frames))
    head.batch_norm.eval()


class BnOnly:
    """``adaptation.passes`` over the warm-up's frames in order, once it has been seen.

    The moved statistics are in force from the last step on; until then the plain head labels.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
        rule: BnOnlySettings = DEFAULTS,
    ) -> None:
        self.unit = 'learn'
        self.steps = 0
        self.objects = 0
        self._mapping = mapping
        self.head = copy.deepcopy(segmenter.head).eval()
        self.head.batch_norm.momentum = rule.momentum
        self._settings = settings
        self._segmenter = segmenter
        self._labeller = IssLabeller(segmenter.head, mapping)
        self._recorded: list[Features] = []

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Label the frame by itself."""
        features = self._segmenter.encode(frame)
        if teaches:
            self._recorded.append(kept(features, self._settings.adaptation))
        return self._labeller.label(features, frame.size_px, self._settings.tau)

    def work(self, no_more: bool) -> bool:
        """Observe the next frame of the passes."""
        frames = len(self._recorded)
        planned = frames * self._settings.adaptation.passes
        if not no_more or self.steps >= planned:
            return False
        t = self.steps % frames
        observe(self.head, self._recorded[t - 1] if t else None, self._recorded[t])
        self.steps += 1
        if self.steps == planned:
            self._labeller = IssLabeller(self.head, self._mapping)
            self._recorded.clear()
        return True

    def learnt(self) -> Mapping[str, Tensor]:
        """Return the head's state."""
        return self.head.state_dict()

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""
