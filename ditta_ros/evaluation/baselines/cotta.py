"""CoTTA: a slow teacher labels for its student, which forgets a little at every step.

Wang et al., *Continual Test-Time Domain Adaptation*, CVPR 2022, in the form for segmentation.  One
step on each frame of the warm-up, after its label was given:

1. Pseudo labels are the teacher's.  Where the source model is sure of a pixel, of the image as it
   is; elsewhere of the mean over scales and mirror images.
2. The student, backbone and head, takes a step on their cross entropy.
3. The teacher moves towards the student.
4. A few of the student's weights, drawn anew each time, return to the source model's.

The teacher labels, of the image as it is: the mean over scales and mirror images is for learning
only, or the frozen method would cost 14 times the plain one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.evaluation.baselines.network import Network, trainable
from ditta_ros.frame import SMALLEST_SIDE_PX, Frame
from ditta_ros.labeller import IssLabeller
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter, upsample
from ditta_ros.settings import Settings


@dataclass(frozen=True)
class CottaSettings:
    """The paper's values for SegFormer (section 4, and its released code)."""

    learning_rate: float = 6e-5 / 8  # of Adam
    betas: tuple[float, float] = (0.9, 0.999)
    ema_decay: float = 0.999  # of the teacher
    restore_probability: float = 0.01  # of a weight, in each step
    sure_from: float = 0.69  # largest class probability of the source model, 0..1
    scales: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)  # each mirrored, too


DEFAULTS = CottaSettings()


@torch.no_grad()
def average_into(teacher: Network, student: Network, decay: float) -> None:
    """Move every parameter of the teacher to decay * teacher + (1 - decay) * student."""
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)


@torch.no_grad()
def restore(
    network: Network, source: Network, probability: float, generator: torch.Generator,
) -> None:
    """Return each weight of ``network`` to that of ``source`` with ``probability``.

    The draws are made on the CPU, so they are the same on every device.
    """
    for weight, origin in zip(network.parameters(), source.parameters(), strict=True):
        drawn = torch.rand(weight.shape, generator=generator) < probability
        weight.copy_(torch.where(drawn.to(weight.device), origin, weight))


@torch.no_grad()
def augmented_probability(
    network: Network, image: Tensor, scales: tuple[float, ...], size_px: tuple[int, int],
) -> Tensor:
    """Mean class probabilities [C, H, W] of an image [1, 3, h, w] over scales and mirror images.

    They are of the size ``size_px`` (H, W).  A side is not shrunk below the 32 px that the
    backbone needs.
    """
    height, width = image.shape[-2:]
    total: Tensor | float = 0.0
    for scale in scales:
        scaled = upsample(image, (
            max(round(height * scale), SMALLEST_SIDE_PX),
            max(round(width * scale), SMALLEST_SIDE_PX)))
        for mirrored in (False, True):
            logits = network(scaled.flip(3) if mirrored else scaled)
            prob = upsample(logits.flip(3) if mirrored else logits, size_px).softmax(1)
            total = total + prob[0]
    assert isinstance(total, Tensor)  # there is a scale
    return total / (2 * len(scales))


class Cotta:
    """What is learnt is in force from the next frame on."""

    def __init__(
        self, settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
        rule: CottaSettings = DEFAULTS,
    ) -> None:
        self.unit = 'learn'
        self.steps = 0
        self.objects = 0
        self._mapping = mapping
        self.teacher = Network.copy_of(segmenter).requires_grad_(False)
        self.student = Network.copy_of(segmenter).requires_grad_(True)
        self._source = Network(segmenter)
        self._segmenter = segmenter
        self._tau = settings.tau
        self._rule = rule
        self._optimiser = torch.optim.Adam(
            trainable(self.student), lr=rule.learning_rate, betas=rule.betas)
        self._generator = torch.Generator().manual_seed(settings.adaptation.seed)
        self._due: deque[Frame] = deque()
        self._labeller = IssLabeller(self.teacher.head, self._mapping)

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Label the frame by itself, with the teacher."""
        if teaches:
            self._due.append(frame)
        features = self.teacher.encode(self.teacher.image(frame))
        return self._labeller.label(features, frame.size_px, self._tau)

    def work(self, no_more: bool) -> bool:  # noqa: ARG002 - learns at once
        """Take the step of the oldest frame that waits for it."""
        if not self._due:
            return False
        self._step(self._due.popleft())
        self.steps += 1
        return True

    def learnt(self) -> Mapping[str, Tensor]:
        """Return the state of the teacher, which labels."""
        return self.teacher.state_dict()

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""

    @torch.no_grad()
    def pseudo_label(self, frame: Frame) -> Tensor:
        """Return what the student is to learn of a frame: class indices, int64 [H, W]."""
        size_px, image = frame.size_px, self.teacher.image(frame)
        source = self._segmenter.head(self._segmenter.encode(frame)).logits
        sure = upsample(source, size_px).softmax(1).amax(1)[0] > self._rule.sure_from  # [H, W]
        plain = upsample(self.teacher(image), size_px)[0].argmax(0)
        averaged = augmented_probability(self.teacher, image, self._rule.scales, size_px)
        return torch.where(sure, plain, averaged.argmax(0))

    @torch.enable_grad()
    def _step(self, frame: Frame) -> None:
        label = self.pseudo_label(frame)
        logits = upsample(self.student(self.student.image(frame)), frame.size_px)
        self._optimiser.zero_grad()
        F.cross_entropy(logits, label[None]).backward()
        self._optimiser.step()
        average_into(self.teacher, self.student, self._rule.ema_decay)
        restore(self.student, self._source, self._rule.restore_probability, self._generator)
        self._labeller = IssLabeller(self.teacher.head, self._mapping)
