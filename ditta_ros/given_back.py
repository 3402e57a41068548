"""The guard of each class: what learning took from a class is given back to it.

A thin class loses pixels to what lies beside it, and every other sign gets better by that.  So its
logit is raised, by a bias that costs a frame nothing, until it has most of the pixels again that
are surely its own on the frames held out: the plain model sees it there steadily, and so does the
third opinion, which knows no target.  A bias that moves pixels which the third opinion would
rather have left is taken back.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.adaptation import Sample
from ditta_ros.guard import KEPT, STEADY_SHARE
from ditta_ros.kept_features import batch
from ditta_ros.labeller import TemporalLabeller
from ditta_ros.segmenter import Head

STEP = 0.05  # of a bias, in logits
MOST_STEPS = 60


class GivingBack:
    """Finds the biases of a head's classes, one held-out frame at a time, which it sees twice.

    ``samples`` are a warm-up's frames, of which the last are held out; ``third`` are the third
    opinion's labels [H, W] of these, and ``plain`` the plain model's of these and the one before.
    """

    def __init__(
        self, head: Head, samples: Sequence[Sample], plain: Sequence[Tensor],
        third: Sequence[Tensor], tau: float,
    ) -> None:
        self.head = head  # with the biases, once ``step`` has returned True
        self._without = head
        self.given: dict[int, float] = {}  # logits by class
        self._samples = samples
        self._plain = plain
        self._first = self._next = len(samples) - len(third)
        self._third = third
        self._tau = tau
        classes = head.classifier.out_channels
        # A class's own pixels by the steps that its logit is below the largest; the last: more.
        self._short = torch.zeros((classes, MOST_STEPS + 1), dtype=torch.float64)
        self._pixels = 0
        self._gained = torch.zeros(classes, dtype=torch.float64)  # pixels, by the third opinion
        self._labellers: tuple[TemporalLabeller, TemporalLabeller] | None = None

    def step(self) -> bool:
        """Look at the next frame; True once all have been looked at, and ``head`` is final."""
        if self._labellers is None:
            self._measure(self._next)
        else:
            self._compare(self._next, *self._labellers)
        self._next += 1
        if self._next < len(self._samples):
            return False
        if self._labellers is not None:
            kept = {index: bias for index, bias in self.given.items() if self._gained[index] >= 0}
            self.given, self.head = kept, with_biases(self._without, kept)
            return True
        self.given = biases(self._short, self._pixels)
        self.head = with_biases(self._without, self.given)
        self._labellers = TemporalLabeller(self._without), TemporalLabeller(self.head)
        self._next = self._first
        return not self.given

    def _measure(self, t: int) -> None:
        """Count how far every class is from its own pixels of frame ``t``, on the logits' grid."""
        sample = self._samples[t]
        with torch.no_grad():
            logits = self.head(batch(self.head, sample.features)).logits[0]  # [C, h, w]
        grid = (logits.shape[1], logits.shape[2])
        n = t - self._first
        before, own, third = (on_grid(label, grid) for label in (
            self._plain[n], self._plain[n + 1], self._third[n]))
        sure = (own == before) & (own == third)
        gap = (logits.amax(0) - logits.gather(0, own[None])[0])[sure]
        steps = torch.where(gap > 0, (gap / STEP).floor() + 1, 0).clamp_max(MOST_STEPS).long()
        width = self._short.shape[1]
        self._short += torch.bincount(
            own[sure] * width + steps, minlength=self._short.numel()).view(-1, width).cpu()
        self._pixels += own.numel()

    def _compare(self, t: int, without: TemporalLabeller, biased: TemporalLabeller) -> None:
        """Count where the third opinion is for the labels that the biases change, and against."""
        sample = self._samples[t]
        features, third = batch(self.head, sample.features), self._third[t - self._first].long()
        old, new = (labeller.label(features, sample.size_px, self._tau)[0].long()
                    for labeller in (without, biased))
        for sign, right in ((1, new == third), (-1, old == third)):
            self._gained += sign * torch.bincount(
                new[(old != new) & right], minlength=len(self._gained)).cpu()


def on_grid(label: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return a label map [H, W] at the positions of ``grid`` (h, w), int64."""
    return F.interpolate(label[None, None].float(), grid, mode='nearest-exact')[0, 0].long()


def biases(short: Tensor, pixels: int) -> dict[int, float]:
    """Return the least bias by class, in logits, that gives ``KEPT`` of its pixels back.

    ``short`` [C, steps + 1] counts each class's own pixels, of ``pixels`` altogether, by the steps
    that its logit lacks; the last are beyond reach.  What has few pixels, or enough, has none.
    """
    own, found = short.sum(1), {}
    for index in (own > STEADY_SHARE * pixels).nonzero().flatten().tolist():
        reached = short[index].cumsum(0) / own[index]
        steps = min(int((reached < KEPT).sum()), short.shape[1] - 2)
        if steps:
            found[index] = steps * STEP
    return found


def with_biases(head: Head, given: Mapping[int, float]) -> Head:
    """Return ``head``, or a copy with ``given`` logits added by class."""
    if not given:
        return head
    raised = copy.deepcopy(head)
    with torch.no_grad():
        for index, bias in given.items():
            raised.classifier.get_parameter('bias')[index] += bias
    return raised
