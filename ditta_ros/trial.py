"""The trial of a head that has learnt: it labels the frames held out, and the guard judges.

How much of what was learnt may label is found here, too: less where a class would be lost, the
third opinion is against it or agreement does not show that it is of use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ditta_ros.adaptation import Sample
from ditta_ros.calibration import with_statistics
from ditta_ros.given_back import GivingBack
from ditta_ros.guard import (
    KEPT,
    OPPOSED,
    Evidence,
    Verdict,
    dispute,
    judge,
    least_kept,
    loss_made_up,
    nothing_to_win,
    share_shown,
)
from ditta_ros.kept_features import batch
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.losses import distill_label
from ditta_ros.segmenter import Head

PARTS = (1.0, 0.5, 0.25)  # of adaptation.learnt_share, tried in turn; the last is judged as it is
STATISTICS_FRAMES = 8  # at most: they are one unit of work, for which labels may have to wait


class ThirdOpinion:
    """The labels of the plain model with batch norm statistics of the frames learnt from."""

    def __init__(
        self, plain: Head, samples: Sequence[Sample], learnt_from: int, tau: float,
    ) -> None:
        """``plain`` is the plain model's head; the first ``learnt_from`` samples are looked at."""
        every = -(-learnt_from // STATISTICS_FRAMES)
        head = with_statistics(
            plain, [samples[t].features for t in range(0, learnt_from, every)], 1.0)
        self.labels: list[Tensor] = []  # [H, W] each
        self._like = plain
        self._labeller = IssLabeller(head)
        self._tau = tau

    def hear(self, sample: Sample) -> None:
        """Label the next frame."""
        self.labels.append(self._labeller.label(
            batch(self._like, sample.features), sample.size_px, self._tau)[0])


class Trial:
    """Has a head label the held-out frames, one at a time, and judges it.

    Where it may not label, one that has taken less of what was learnt is tried after it.  Where
    it may, but agreement shows no use, half of it labels; that is not tried again, since what is
    taken less of agrees less, too.
    ``samples`` are a warm-up's frames with their final targets, of which the last ``held`` are
    judged; ``iss`` are the plain model's labels [H, W] of these and of the frame before them, and
    ``plain`` is its head; ``classes`` is C.  Where it ``gives_back``, classes of a head that may
    label have back what learning took from them (``given_back``).
    """

    def __init__(
        self, samples: Sequence[Sample], held: int, iss: Sequence[Tensor], plain: Head,
        classes: int, tau: float, gives_back: bool = False,
    ) -> None:
        self.head: Head | None = None  # the one on trial, at last the one to label
        self.verdict: Verdict | None = None  # the final one
        self._samples = samples
        self._first = len(samples) - held
        self._iss = iss
        self._plain = plain
        self._classes = classes
        self._tau = tau
        self._parts = list(PARTS)
        self._third: ThirdOpinion | None = None
        self._gives_back = gives_back
        self._giving_back: GivingBack | None = None
        self._so_far = Verdict(False, 'not judged yet')
        self._begin()

    def step(self, head_of: Callable[[float], Head]) -> None:
        """Have the head on trial label the next frame, and judge it after the last one.

        ``head_of`` returns a head that has taken a part, 0..1, of what was learnt.
        """
        if self._giving_back is not None:
            self._give_back(self._giving_back)
            return
        if self.head is None:
            self.head = head_of(self._parts[0])
        if self._third is None:
            self._third = ThirdOpinion(self._plain, self._samples, self._first, self._tau)
        if self._next < len(self._samples):
            self._label(self.head, self._third)
        if self._next == len(self._samples):
            self._conclude(torch.stack(self._third.labels), head_of)

    def _begin(self) -> None:
        self._next = max(self._first - 1, 0)  # the frame before them is labelled, too
        self._labeller: TemporalLabeller | None = None
        self._labels: list[Tensor] = []

    def _label(self, head: Head, third: ThirdOpinion) -> None:
        if self._labeller is None:
            self._labeller = TemporalLabeller(head)
        sample = self._samples[self._next]
        self._labels.append(self._labeller.label(
            batch(head, sample.features), sample.size_px, self._tau)[0])
        if self._next == self._first + len(third.labels):  # not yet heard of this frame
            third.hear(sample)
        self._next += 1

    def _conclude(self, third: Tensor, head_of: Callable[[float], Head]) -> None:
        """Judge, or go on to a head that has taken less of what was learnt."""
        verdict, gained = self._agreed()
        kept, plain = self._least_kept(), torch.stack(list(self._iss[-len(third):]))
        opinion = dispute(torch.stack(self._labels[-len(third):]), plain, third)
        differs = float((third != plain).double().mean())
        useless = nothing_to_win(gained, differs)
        part = taken = self._parts[0]
        if len(self._parts) > 1 and not useless and (
                not verdict.promoted or loss_made_up(kept, gained) < KEPT or opinion < OPPOSED):
            self._take_less()
            return
        if verdict.promoted and useless:
            verdict = Verdict(False, f'there is nothing to win: {verdict.why}')
        elif verdict.promoted and opinion < OPPOSED:
            verdict = Verdict(False, f'a third opinion is against it: {verdict.why}')
        elif verdict.promoted:
            taken = share_shown(gained) * part
            self.head = self.head if taken == part else head_of(taken)
        verdict = replace(verdict, why=(
            f'{verdict.why}; third opinion {opinion:+.2f}, which differs from ISS in '
            f'{100 * differs:.1f} % of the pixels; of every class at least {100 * kept:.0f} % is '
            f'left with {100 * part:g} % of the learnt share'
            + (f'; {100 * taken:g} % of the learnt share is taken' if taken < part else '')))
        if verdict.promoted and self._gives_back and self.head is not None:
            self._so_far = verdict
            self._giving_back = GivingBack(
                self.head, self._samples, self._iss[-len(third) - 1:], list(third), self._tau)
        else:
            self.verdict = verdict

    def _give_back(self, giving_back: GivingBack) -> None:
        """Look at the next frame for what to give back; after the last one the verdict stands."""
        if not giving_back.step():
            return
        verdict, self.head = self._so_far, giving_back.head
        given = ', '.join(f'{index} {bias:.2f}' for index, bias in giving_back.given.items())
        self.verdict = replace(verdict, why=(
            verdict.why + (f'; logits given back to classes: {given}' if given else '')))

    def _agreed(self) -> tuple[Verdict, float]:
        """Judge by the targets; returns the agreement gained, too."""
        judged = [self._samples[t] for t in range(self._first, len(self._samples))]
        targets = [distill_label(each.object_label, each.iss_label) for each in judged]
        learnt, iss, teacher = (
            Evidence.of(labels, targets, self._classes) for labels in (
                self._labels, self._iss, [each.iss_label for each in judged]))
        return judge(learnt, iss, teacher), learnt.agreement - iss.agreement

    def _least_kept(self) -> float:
        looked_at = range(len(self._samples) - len(self._labels), len(self._samples))
        return least_kept(
            self._labels, [self._samples[t].iss_label for t in looked_at], self._classes)

    def _take_less(self) -> None:
        """Try a head that takes less of what was learnt."""
        del self._parts[0]
        self.head = None
        self._begin()
