"""Whether what has learnt may label: judged on frames of the warm-up that it did not learn from.

Nothing here knows the truth.  A head that has learnt well agrees with what the tracker's masks say
of frames that it has not seen, does not flicker more, and has left to every class what its teacher
sees of it steadily.  The last tells harm best: what learning takes from a small class it gives to
those beside it, and with them it agrees better and flickers less.  What the teacher sees in one
frame alone is noise, which is to be unlearnt.  Where a class has lost too much, less of what was
learnt is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from ditta_ros.adaptation import Sample
from ditta_ros.kept_features import batch
from ditta_ros.labeller import TemporalLabeller
from ditta_ros.losses import distill_label
from ditta_ros.segmenter import Head

LEAST_HELD_OUT = 2
# Shares of the pixels, below which a difference is noise.
LESS_AGREEMENT = 0.01
MORE_FLICKER = 0.005
LEAST_DIVERSITY = 0.8  # of the teacher's
KNOWN_SHARE = 0.01  # of the pixels: a class that the teacher sees so much of must not vanish
VANISHED = 0.2  # of what the teacher sees of it
# A class that the teacher sees so much of steadily is kept where so much of that is left.
STEADY_SHARE = 0.001  # of the pixels
KEPT = 0.86
MADE_UP = 0.02  # of the pixels: so much more agreement with the targets makes up for any loss
PARTS = (1.0, 0.5, 0.25)  # of adaptation.learnt_share, tried in turn until all classes are kept


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
        pixels = torch.stack([_counts(label, classes) for label in judged]).sum(0)
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


def least_kept(learnt: Sequence[Tensor], teacher: Sequence[Tensor], classes: int) -> float:
    """Return how much is left of the class that lost most of what its teacher sees steadily.

    Both are label maps [H, W] of the same consecutive frames; a pixel is seen steadily that the
    teacher labels as in the frame before.  Of these pixels the ones that each gives a class are
    compared.  At most 1; classes with few of them do not count.
    """
    before, after = (torch.zeros(classes, dtype=torch.float64) for _ in range(2))
    pixels = 0
    for (earlier, now), label in zip(pairwise(teacher), learnt[1:], strict=True):
        steady = earlier == now
        before += _counts(now[steady], classes).cpu()
        after += _counts(label[steady], classes).cpu()
        pixels += now.numel()
    seen = before > STEADY_SHARE * pixels
    return min([1.0, *(after[seen] / before[seen]).tolist()])


def loss_made_up(kept: float, gained: float) -> float:
    """Return what is left of a class, or 1 where agreement ``gained`` more than a loss weighs.

    That is so where noise or haze had given a class what was not its own.
    """
    return 1.0 if gained > MADE_UP else kept


def _counts(label: Tensor, classes: int) -> Tensor:
    """Return the pixels of each class, float64 [C]."""
    return torch.bincount(label.flatten().long(), minlength=classes)[:classes].double()


class Trial:
    """Has a head label the held-out frames, one at a time, and judges it.

    Where a class has lost too much, or the head cannot be used, one that has taken less of what
    was learnt is tried after it; the last one is judged as it is.  ``samples`` are a warm-up's
    frames with their final targets, of which the last ``held`` are judged; ``iss`` are the plain
    model's labels [H, W] of these and of the frame before them; ``classes`` is C.
    """

    def __init__(
        self, samples: Sequence[Sample], held: int, iss: Sequence[Tensor], classes: int,
        tau: float,
    ) -> None:
        self.head: Head | None = None  # the one on trial
        self.verdict: Verdict | None = None  # the final one
        self._samples = samples
        self._first = len(samples) - held
        self._iss = iss
        self._classes = classes
        self._tau = tau
        self._parts = list(PARTS)
        self._begin()

    def step(self, head_of: Callable[[float], Head]) -> None:
        """Have the head on trial label the next frame, and judge it after the last one.

        ``head_of`` returns a head that has taken a part, 0..1, of what was learnt.
        """
        if self.head is None:
            self.head = head_of(self._parts[0])
        if self._next < len(self._samples):
            self._label(self.head)
        if self._next == len(self._samples):
            self._conclude()

    def _begin(self) -> None:
        self._next = max(self._first - 1, 0)  # the frame before them is labelled, too
        self._labeller: TemporalLabeller | None = None
        self._labels: list[Tensor] = []

    def _label(self, head: Head) -> None:
        if self._labeller is None:
            self._labeller = TemporalLabeller(head)
        sample = self._samples[self._next]
        size_px = (sample.iss_label.shape[0], sample.iss_label.shape[1])
        features = batch(head, sample.features)
        self._labels.append(self._labeller.label(features, size_px, self._tau)[0])
        self._next += 1

    def _conclude(self) -> None:
        """Judge, or go on to a head that has taken less of what was learnt."""
        judged = [self._samples[t] for t in range(self._first, len(self._samples))]
        targets = [distill_label(each.object_label, each.iss_label) for each in judged]
        learnt, iss, teacher = (
            Evidence.of(labels, targets, self._classes) for labels in (
                self._labels, self._iss, [each.iss_label for each in judged]))
        verdict = judge(learnt, iss, teacher)
        looked_at = range(len(self._samples) - len(self._labels), len(self._samples))
        kept = least_kept(
            self._labels, [self._samples[t].iss_label for t in looked_at], self._classes)
        if len(self._parts) == 1 or (
                verdict.promoted and loss_made_up(kept, learnt.agreement - iss.agreement) >= KEPT):
            self.verdict = replace(verdict, why=(
                f'{verdict.why}; of every class at least {100 * kept:.0f} % is left with '
                f'{100 * self._parts[0]:.0f} % of the learnt share'))
            return
        del self._parts[0]
        self.head = None
        self._begin()
