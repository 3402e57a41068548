"""Whether what has learnt may label: judged on frames of the warm-up that it did not learn from.

Nothing here knows the truth.  A head that has learnt well agrees with what the tracker's masks say
of frames that it has not seen, does not flicker more, and has left to every class what its teacher
sees of it steadily.  The last tells harm best: what learning takes from a small class it gives to
those beside it, and with them it agrees better and flickers less.  What the teacher sees in one
frame alone is noise, which is to be unlearnt.

Targets may be wrong, and what has learnt from them agrees with them all the same.  So a third
opinion is heard, of the plain model with the warm-up's batch norm statistics: it knows the stream
and no target.  Of all that was tried as a sign of harm it is the best
(``ditta_ros.evaluation.bed.roc``).  It tells, too, how far the stream is from the training: where
it labels nearly as the plain model does, and agreement falls, there is nothing to win.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

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
OPPOSED = -0.5  # by the third opinion: see ``dispute``
# Of the pixels: where the third opinion labels fewer otherwise, the stream is like the training.
LIKE_TRAINING = 0.03
LESS_THERE = 0.005  # agreement that may be lost on such a stream
UNSHOWN = 0.5  # of what was learnt is taken where agreement does not show that it is of use


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


def dispute(one: Tensor, other: Tensor, judge: Tensor) -> float:
    """Return whose label a ``judge`` gives, where two models' labels [T, H, W] differ.

    The share of these pixels that it labels as ``one`` does, less the share as ``other`` does,
    -1..1; 0 where they never differ.
    """
    differ = one != other
    if not differ.any():
        return 0.0
    judge = judge[differ]
    return float((judge == one[differ]).double().mean() - (judge == other[differ]).double().mean())


def nothing_to_win(gained: float, differs: float) -> bool:
    """Say whether the plain model does best here, since what was learnt can but do harm.

    ``gained`` is the agreement gained, ``differs`` the share of pixels that the third opinion
    labels otherwise than the plain model; both of 0..1.
    """
    return gained < -LESS_THERE and differs < LIKE_TRAINING


def share_shown(gained: float) -> float:
    """Return how much of what was learnt to take, by the agreement ``gained``."""
    return 1.0 if gained > LESS_AGREEMENT else UNSHOWN


def _counts(label: Tensor, classes: int) -> Tensor:
    """Return the pixels of each class, float64 [C]."""
    return torch.bincount(label.flatten().long(), minlength=classes)[:classes].double()
