"""TENT: the parameters of norm layers learn to lower the entropy of the predictions.

Wang et al., *Tent: Fully Test-Time Adaptation by Entropy Minimization*, ICLR 2021.  One step on
each frame of the warm-up, after its label was given; scale and shift of the decode head's batch
norm and of all layer norms of the backbone learn, on a copy of both.  Batch norm normalises every
frame by its own statistics, in and after the warm-up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ditta_ros.evaluation.baselines.network import Network, trainable
from ditta_ros.frame import Frame
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings
from ditta_ros.temporal import decide


@dataclass(frozen=True)
class TentSettings:
    """Adam's step size and betas are the paper's (section 4, without weight decay)."""

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)


DEFAULTS = TentSettings()


def configure(network: Network) -> None:
    """Let scale and shift of every norm layer learn, and nothing else."""
    network.requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
            module.requires_grad_(True)
        if isinstance(module, nn.BatchNorm2d):
            # Without running statistics torch takes the batch's, in eval mode as well.
            module.track_running_stats = False
            module.running_mean = module.running_var = None


def mean_entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the class probabilities of logits [B, C, h, w] over all positions, in nats.

    From log_softmax: the derivative of p log p alone is infinite where p underflows.
    """
    log_prob = F.log_softmax(logits, 1)
    return -(log_prob.exp() * log_prob).sum(1).mean()


class Tent:
    """What is learnt is in force from the next frame on."""

    def __init__(
        self, settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
        rule: TentSettings = DEFAULTS,
    ) -> None:
        self.unit = 'learn'
        self.steps = 0
        self.objects = 0
        self._mapping = mapping
        self.network = Network.copy_of(segmenter)
        configure(self.network)
        self._tau = settings.tau
        self._optimiser = torch.optim.Adam(
            trainable(self.network), lr=rule.learning_rate, betas=rule.betas)
        self._due: deque[Frame] = deque()

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Label the frame by itself."""
        if teaches:
            self._due.append(frame)
        features = self.network.encode(self.network.image(frame))
        logits = self.network.head(features).logits  # [1, C, h, w]
        if self._mapping is not None:
            logits = self._mapping.merge(logits, dim=1)
        return decide(logits, None, frame.size_px, self._tau)

    def work(self, no_more: bool) -> bool:  # noqa: ARG002 - learns at once
        """Take the step of the oldest frame that waits for it."""
        if not self._due:
            return False
        self._step(self._due.popleft())
        self.steps += 1
        return True

    def learnt(self) -> Mapping[str, Tensor]:
        """Return the state of backbone and head."""
        return self.network.state_dict()

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""

    @torch.enable_grad()
    def _step(self, frame: Frame) -> None:
        self._optimiser.zero_grad()
        mean_entropy(self.network(self.network.image(frame))).backward()
        self._optimiser.step()
