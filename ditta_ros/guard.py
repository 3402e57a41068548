"""Whether what has learnt may label: judged on frames of the warm-up that it did not learn from.

Nothing here knows the truth.  A head that has learnt well agrees better with what the tracker's
masks say of frames that it has not seen, does not flicker more, and still sees the classes that
its teacher saw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ditta_ros.adaptation import Sample, distill_label
from ditta_ros.kept_features import batch
from ditta_ros.labeller import TemporalLabeller
from ditta_ros.segmenter import Head

LEAST_HELD_OUT = 2
# Shares of the pixels, below which a difference is noise.
LESS_AGREEMENT = 0.01
MORE_FLICKER = 0.005
LEAST_DIVERSITY = 0.8  # of the teacher's
KNOWN_SHARE = 0.01  # of the pixels: a class that the teacher sees so much of must not vanish
VANISHED = 0.2  # of what the teacher sees of it


def held_out(frames: int, percent: float) -> int:
    """Return how many frames at the end of a warm-up of ``frames`` are not learnt from.

    At least ``LEAST_HELD_OUT``, and one is left to learn from; 0 where ``percent`` is.
    """
    if percent == 0:
        return 0
    return max(min(max(round(frames * percent / 100), LEAST_HELD_OUT), frames - 1), 0)


@dataclass(frozen=True)
class Evidence:
    """What a model's labels of the held-out frames show."""

    agreement: float  # share of pixels labelled as the targets say
    flicker: float  # share of pixels whose label changes from frame to frame
    shares: Tensor  # float64 [C], of the pixels by class

    @classmethod
    def of(cls, labels: Sequence[Tensor], targets: Sequence[Tensor], classes: int) -> Evidence:
        """Weigh label maps [H, W] of consecutive frames against the last frames' ``targets``.

        ``labels`` may begin with frames before the targets', which count for flicker alone.
        """
        judged = labels[len(labels) - len(targets):]
        agreement = [(label == target).double().mean() for label, target in zip(
            judged, targets, strict=True)]
        changes = [(one != other).double().mean() for one, other in pairwise(labels)]
        pixels = torch.stack([
            torch.bincount(label.flatten().long(), minlength=classes)[:classes]
            for label in judged]).sum(0).double()
        return cls(
            float(torch.stack(agreement).mean()),
            float(torch.stack(changes).mean()) if changes else 0.0, pixels / pixels.sum())

    @property
    def diversity(self) -> float:
        """Entropy of the classes' shares, in nats."""
        return float(torch.special.entr(self.shares).sum())


@dataclass(frozen=True)
class Verdict:
    """Whether a head may label, and why, with the figures that decided."""

    promoted: bool
    why: str


def judge(learnt: Evidence, iss: Evidence, teacher: Evidence) -> Verdict:
    """Judge a head against the plain model, and for collapse against its teacher."""
    agrees = f'agreement with held-out targets {learnt.agreement:.3f}, ISS {iss.agreement:.3f}'
    flickers = f'flicker {learnt.flicker:.3f}, ISS {iss.flicker:.3f}'
    diversity = f'diversity {learnt.diversity:.2f}, its teacher {teacher.diversity:.2f} nats'
    vanished = ((teacher.shares >= KNOWN_SHARE)
                & (learnt.shares < VANISHED * teacher.shares)).nonzero().flatten().tolist()
    if not math.isfinite(learnt.agreement) or learnt.agreement < iss.agreement - LESS_AGREEMENT:
        return Verdict(False, f'it agrees less: {agrees}')
    if learnt.flicker > iss.flicker + MORE_FLICKER:
        return Verdict(False, f'it flickers more: {flickers}')
    if learnt.diversity < LEAST_DIVERSITY * teacher.diversity:
        return Verdict(False, f'its labels have collapsed: {diversity}')
    if vanished:
        return Verdict(False, f'it lost class {vanished[0]}, which its teacher sees')
    return Verdict(True, f'{agrees}; {flickers}')


class Trial:
    """Has a head label the held-out frames, one at a time, and judges it.

    ``samples`` are a warm-up's frames with their final targets, of which the last ``held`` are
    judged; ``iss`` are the plain model's labels [H, W] of these and of the frame before them.
    """

    def __init__(
        self, samples: Sequence[Sample], held: int, iss: Sequence[Tensor], tau: float,
    ) -> None:
        self._samples = samples
        self._first = len(samples) - held
        self._next = max(self._first - 1, 0)  # the frame before them is labelled, too
        self._iss = iss
        self._tau = tau
        self._labeller: TemporalLabeller | None = None
        self._labels: list[Tensor] = []

    @property
    def left(self) -> int:
        """Frames that are still to be labelled."""
        return len(self._samples) - self._next

    def step(self, head: Head) -> None:
        """Have ``head``, the same one each time, label the next frame."""
        if self._labeller is None:
            self._labeller = TemporalLabeller(head)
        sample = self._samples[self._next]
        size_px = (sample.iss_label.shape[0], sample.iss_label.shape[1])
        features = batch(head, sample.features)
        self._labels.append(self._labeller.label(features, size_px, self._tau)[0])
        self._next += 1

    def verdict(self, classes: int) -> Verdict:
        """Judge, once no frame is left; ``classes`` is C."""
        judged = [self._samples[t] for t in range(self._first, len(self._samples))]
        targets = [distill_label(each.object_label, each.iss_label) for each in judged]
        return judge(
            Evidence.of(self._labels, targets, classes), Evidence.of(self._iss, targets, classes),
            Evidence.of([each.iss_label for each in judged], targets, classes))
