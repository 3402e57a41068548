"""What might tell, without the truth, whether a head that has learnt does good or harm.

Every signal is a number of one candidate, from the held-out frames of its warm-up; the larger,
the more it speaks for the candidate.  Which of them is worth anything is for ``roc`` to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ditta_ros.guard import STEADY_SHARE, dispute, loss_made_up
from ditta_ros.labels import unlabelled_in

# What each is, in words; a signal of ``signals`` has its name here.
SIGNALS = {
    'agreement': 'pixels labelled as the targets say, more than by ISS',
    'target mIoU': 'the same as mIoU: every class counts alike',
    'worst class': 'IoU with the targets, of the class that loses most against ISS',
    'disputed': 'where it differs from ISS: pixels that the targets give it, less those to ISS',
    'disputed objects': 'the same, in tracked objects alone',
    'disputed classes': 'the same, of the worse half of the classes',
    'purity': "pixels of an object that have the object's commonest label, more than by ISS",
    'coverage': 'pixels that belong to a tracked object',
    'consent': "pixels of objects that do not keep a sure label against their object's class",
    'steadiness': 'pixels that change their label from frame to frame, fewer than by ISS',
    'reliability': 'mean reliability, more than of ISS',
    'certainty': 'mean entropy of the probabilities, less than of ISS',
    'restraint': 'pixels labelled as by the teacher',
    'restraint where sure': 'the same, of the pixels that the teacher is sure of',
    'diversity': "entropy of the classes' shares, more than of the teacher's labels",
    'class kept': 'what is left of the class that shrank most against the teacher',
    'steady class kept': 'the same, of the pixels that the teacher labels as in the frame before',
    'class kept or made up': 'the same, or 1 where the gain of agreement makes up for it',
    'mirrored': 'where it differs from ISS: pixels given it by ISS on the mirrored picture',
    'third opinion': "the same, by ISS with the warm-up's batch norm statistics",
}
SEEN_SHARE = 0.002  # of the pixels: what the teacher sees less of is no class to be kept
SURE_FROM = 0.8  # reliability, as tau


@dataclass(frozen=True, eq=False)
class View:
    """What one model makes of the held-out frames."""

    label: Tensor  # [T, H, W]
    reliability: Tensor  # float32 [T, H, W]
    entropy: float  # mean of the pixels, in nats
    flicker: float  # share of the pixels whose label changes from frame to frame
    steady: Tensor  # bool [T, H, W], labelled as in the frame before


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The held-out frames: what the models make of them, and what the tracker found there."""

    learnt: View
    iss: View  # the plain model
    teacher: View  # the same in the colours that were learnt in
    mirrored: Tensor  # [T, H, W], the teacher's labels of the mirrored pictures, mirrored back
    third: Tensor  # [T, H, W], its labels with the warm-up's batch norm statistics
    target: Tensor  # [T, H, W], what would be learnt
    object_id: Tensor  # [T, H, W]; 0: no object
    object_label: Tensor  # [T, H, W], the voted classes; unlabelled: no object, or a sure label
    classes: int


def signals(seen: HeldOut) -> dict[str, float]:
    """Return every signal of ``SIGNALS`` by its name."""
    learnt, iss, teacher = seen.learnt, seen.iss, seen.teacher
    taught = seen.object_label != unlabelled_in(seen.object_label)
    objects = seen.object_id > 0
    sure = teacher.reliability > SURE_FROM
    won = _won(learnt.label, iss.label, seen.target, seen.classes)
    iou = (_class_iou(learnt.label, seen.target, seen.classes)
           - _class_iou(iss.label, seen.target, seen.classes))
    iou = iou[~iou.isnan()]
    agreement = _mean(learnt.label == seen.target) - _mean(iss.label == seen.target)
    steady = teacher.steady
    steady_kept = _class_kept(
        learnt.label[steady], teacher.label[steady], STEADY_SHARE, seen.classes)
    return {
        'agreement': agreement,
        'target mIoU': float(iou.mean()),
        'worst class': float(iou.min()),
        'disputed': dispute(learnt.label, iss.label, seen.target),
        'disputed objects': dispute(
            learnt.label[taught], iss.label[taught], seen.object_label[taught]),
        'disputed classes': float(won.sort().values[:max(len(won) // 2, 1)].mean()),
        'purity': _purity(learnt.label, seen) - _purity(iss.label, seen),
        'coverage': _mean(objects),
        'consent': _mean(taught[objects]),
        'steadiness': iss.flicker - learnt.flicker,
        'reliability': float(learnt.reliability.mean() - iss.reliability.mean()),
        'certainty': iss.entropy - learnt.entropy,
        'restraint': _mean(learnt.label == teacher.label),
        'restraint where sure': _mean((learnt.label == teacher.label)[sure]),
        'diversity': _diversity(learnt.label) - _diversity(teacher.label),
        'class kept': _class_kept(learnt.label, teacher.label, SEEN_SHARE, seen.classes),
        'steady class kept': steady_kept,
        'class kept or made up': loss_made_up(steady_kept, agreement),
        'mirrored': dispute(learnt.label, iss.label, seen.mirrored),
        'third opinion': dispute(learnt.label, iss.label, seen.third),
    }


def _mean(true: Tensor) -> float:
    """Return the share that is true; 1 of nothing."""
    return float(true.double().mean()) if true.numel() else 1.0


def _won(learnt: Tensor, iss: Tensor, target: Tensor, classes: int) -> Tensor:
    """Return of each class in ``target`` what ``learnt`` gets right more of it, float64 [<= C]."""
    count = _counts(target, classes)
    right = _counts(target[learnt == target], classes) - _counts(target[iss == target], classes)
    return right[count > 0] / count[count > 0]


def _class_iou(label: Tensor, target: Tensor, classes: int) -> Tensor:
    """Return each class's IoU with the targets, float64 [C]; NaN: it is not in them."""
    hit = _counts(target[label == target], classes)
    count = _counts(target, classes)
    union = count + _counts(label, classes) - hit
    return torch.where(count > 0, hit / union.clamp_min(1), torch.nan)


def _counts(label: Tensor, classes: int) -> Tensor:
    """Return pixels by class, float64 [C]; unlabelled ones do not count."""
    return torch.bincount(label.flatten().long(), minlength=classes)[:classes].double()


def _purity(label: Tensor, seen: HeldOut) -> float:
    """Return which share of the objects' pixels has its object's commonest label, by frame."""
    common = total = 0
    for labels, object_ids in zip(label, seen.object_id.long(), strict=True):
        inside = object_ids > 0
        cell = object_ids[inside] * seen.classes + labels[inside].long()
        if inside.any():
            counts = torch.bincount(cell, minlength=int(object_ids.max() + 1) * seen.classes)
            common += int(counts.view(-1, seen.classes).amax(1).sum())
            total += len(cell)
    return common / total if total else 1.0


def _diversity(label: Tensor) -> float:
    shares = _counts(label, int(label.max()) + 1) / label.numel()
    return float(torch.special.entr(shares).sum())


def _class_kept(learnt: Tensor, teacher: Tensor, least: float, classes: int) -> float:
    """Return what is left of the class that lost most, of those above a ``least`` share."""
    before, after = _counts(teacher, classes), _counts(learnt, classes)
    seen = before > least * teacher.numel()
    return min((after[seen] / before[seen]).tolist(), default=1.0)
