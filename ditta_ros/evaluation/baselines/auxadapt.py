"""AuxAdapt: an auxiliary network corrects the main one and learns from their joint decision.

Zhang et al., *AuxAdapt: Stable and Efficient Test-Time Adaptation for Temporally Consistent Video
Semantic Segmentation*, WACV 2022.  The main network is the frozen segmenter.  The paper's
auxiliary network is a small segmenter trained on the same classes.  None comes with a SegFormer,
so here it is a second decode head, a copy of the first, on the features of the frozen backbone:
small beside the backbone, trained on the same classes, and the joint decision begins as the
main network's own.

The decision is the class of the largest sum of logits.  Half of the sum is what reliability
(Eq. 2) and loss are computed from, so that both begin as the main network's.  One step of the
auxiliary head on each frame of the warm-up, after its label was given: cross entropy of the joint
logits against their own hard labels, at the size of the image.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.evaluation.baselines.network import trainable
from ditta_ros.folded import FoldedHead
from ditta_ros.frame import Frame
from ditta_ros.kept_features import batch, kept
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Features, Segmenter, upsample
from ditta_ros.settings import Settings
from ditta_ros.temporal import decide


@dataclass(frozen=True)
class AuxAdaptSettings:
    """Adam's step size is ours, for a decode head: the paper's belongs to another network."""

    learning_rate: float = 1e-4


DEFAULTS = AuxAdaptSettings()


def self_training_loss(joint: Tensor) -> Tensor:
    """Cross entropy of logits [1, C, H, W] against the classes that they decide on."""
    return F.cross_entropy(joint, joint.detach().argmax(1))


class AuxAdapt:
    """What is learnt is in force from the next frame on."""

    def __init__(
        self, settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
        rule: AuxAdaptSettings = DEFAULTS,
    ) -> None:
        self.unit = 'learn'
        self.steps = 0
        self.objects = 0
        self._mapping = mapping
        self.auxiliary = copy.deepcopy(segmenter.head).eval().requires_grad_(True)
        self._settings = settings
        self._segmenter = segmenter
        self._optimiser = torch.optim.Adam(trainable(self.auxiliary), lr=rule.learning_rate)
        self._due: deque[tuple[Features, tuple[int, int]]] = deque()  # with the size in px
        self._main = FoldedHead.fold(segmenter.head)
        self._folded = FoldedHead.fold(self.auxiliary)

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Label the frame by itself."""
        features = self._segmenter.encode(frame)
        if teaches:
            self._due.append((kept(features, self._settings.adaptation), frame.size_px))
        main, auxiliary = (
            head.logits(head.feature(features)) for head in (self._main, self._folded))
        joint = (main + auxiliary) / 2  # [h, w, C]
        if self._mapping is not None:
            joint = self._mapping.merge(joint)
        return decide(joint.movedim(-1, 0)[None], None, frame.size_px, self._settings.tau)

    def work(self, no_more: bool) -> bool:  # noqa: ARG002 - learns at once
        """Take the step of the oldest frame that waits for it."""
        if not self._due:
            return False
        self._step(*self._due.popleft())
        self.steps += 1
        return True

    def learnt(self) -> Mapping[str, Tensor]:
        """Return the state of the auxiliary head."""
        return self.auxiliary.state_dict()

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""

    @torch.enable_grad()
    def _step(self, features: Features, size_px: tuple[int, int]) -> None:
        features = batch(self.auxiliary, features)
        with torch.no_grad():
            main = self._segmenter.head(features).logits
        joint = (main + self.auxiliary(features).logits) / 2
        self._optimiser.zero_grad()
        self_training_loss(upsample(joint, size_px)).backward()
        self._optimiser.step()
        self._folded = FoldedHead.fold(self.auxiliary)
