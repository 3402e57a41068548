"""How the decode head learns from a warm-up: one optimiser step on one frame (Eq. 8)."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ditta_ros.kept_features import batch
from ditta_ros.losses import (
    MemoryBank,
    class_weight,
    contrast_loss,
    distill_label,
    distill_loss,
)
from ditta_ros.low_rank import hold_to_rank
from ditta_ros.segmenter import Decoded, Features, Head, upsample
from ditta_ros.settings import AdaptationSettings
from ditta_ros.temporal import add_on


class BadStepError(ArithmeticError):
    """A step's loss or gradient is not finite, or what came of it is not."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One warm-up frame as the head learns from it."""

    features: Features  # of the frame, from Segmenter.encode; four of [1, D_i, h_i, w_i]
    previous: Features | None  # of the frame before; None on a stream's first frame
    iss_label: Tensor  # [H, W], of the frozen segmenter
    object_id: Tensor  # int [H, W], painted; 0: no object
    object_label: Tensor  # [H, W], the objects' classes; unlabelled: none
    weight: Tensor | None = None  # float32 [H, W] of the pixels' losses; None: 1 everywhere

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the frame, as the network sees it."""
        return self.iss_label.shape[0], self.iss_label.shape[1]


@dataclass(frozen=True)
class Losses:
    """The terms of Eq. 8 before the step; a term that is not computed is 0."""

    distill: float
    distill_add: float
    contrast: float
    total: float  # the sum of all terms, contrast and anchor weighted
    anchor: float = 0.0  # the divergence from the frozen segmenter


class Learnt(NamedTuple):
    """All that a step changes, as it was before it."""

    head: dict[str, Any]
    average: dict[str, Any]
    optimiser: dict[str, Any]
    prototypes: dict[int, Tensor]


class Adapter:
    """Trains one decode head, in place, on the frames of one warm-up.

    ``head`` is the live head, at any time fit to decode; the caller gives a copy of the frozen
    one.  ``before`` is it as it was given.
    """

    def __init__(self, head: Head, settings: AdaptationSettings) -> None:
        self.before = copy.deepcopy(head).requires_grad_(False).eval()
        self.head = head.requires_grad_(True).eval()
        if settings.learns == 'last_layers':
            for layer in (head.scales, head.fuse, head.batch_norm):
                layer.requires_grad_(False)
        self.settings = settings
        self.average = AveragedModel(
            head, multi_avg_fn=get_ema_multi_avg_fn(settings.ema_decay)).requires_grad_(False)
        self.average.update_parameters(head)  # the first update copies, all others average
        self.momentum = cast(Head, self.average.module)  # averages parameters, not buffers
        self.bank = MemoryBank()
        self.optimiser = torch.optim.AdamW(head.parameters(), lr=settings.learning_rate)

    def step(self, sample: Sample) -> Losses:
        """Take one optimiser step on one frame; return its losses from before the step (Eq. 8).

        Raises BadStepError where loss, gradient or outcome is not finite.  After that and any
        other error everything is as before the step, batch norm and optimiser included.
        """
        before, done = self._learnt(), False
        try:
            losses = self._step(sample)
            self._check(losses)
            done = True
        finally:
            if not done:
                self._restore(before)
        return losses

    @torch.no_grad()
    def loss(self, sample: Sample) -> float:
        """Return the distillation loss of one frame, which nothing is learnt from."""
        label = distill_label(sample.object_label, sample.iss_label)
        logits = self.head(batch(self.head, sample.features)).logits
        return self._distill(logits, label, sample.weight).item()

    @torch.enable_grad()
    def _step(self, sample: Sample) -> Losses:
        label = distill_label(sample.object_label, sample.iss_label)
        features = self._features(sample)
        self.head.batch_norm.train(self.settings.batch_norm == 'train')
        decoded = self.head(features)  # [B, D, h, w] and [B, C, h, w], this frame last
        self.head.batch_norm.eval()

        distill = self._distill(decoded.logits[-1:], label, sample.weight)
        distill_add = torch.zeros_like(distill)
        if sample.previous is not None:
            previous = Decoded(decoded.feature[:1], decoded.logits[:1])
            carried = add_on(self.head, decoded.feature[-1:], previous)
            distill_add = self._distill(carried, label, sample.weight)
        contrast = torch.zeros_like(distill)
        if self.settings.contrast_weight > 0:
            contrast = self._contrast(features, decoded.feature[-1:], sample.object_id)
        anchor = self._anchor(features, decoded.logits)
        total = (distill + distill_add + self.settings.contrast_weight * contrast
                 + self.settings.anchor_weight * anchor)

        self.optimiser.zero_grad()
        total.backward()
        self.optimiser.step()
        if self.settings.rank:
            hold_to_rank(self.head, self.before, self.settings.rank)
        self.average.update_parameters(self.head)
        return Losses(
            distill.item(), distill_add.item(), contrast.item(), total.item(), anchor.item())

    def _anchor(self, features: Features, logits: Tensor) -> Tensor:
        """Mean divergence KL(frozen || live) of the last frame's probabilities, on the grid."""
        if self.settings.anchor_weight == 0:
            return logits.sum() * 0
        with torch.no_grad():
            first, second, third, fourth = (stage[-1:] for stage in features)
            before = self.before((first, second, third, fourth)).logits.log_softmax(1)
        now = logits[-1:].log_softmax(1)
        return F.kl_div(now, before, reduction='none', log_target=True).sum(1).mean()

    def _check(self, losses: Losses) -> None:
        """Raise BadStepError where a step has left what cannot be learnt on from."""
        if not math.isfinite(losses.total):
            raise BadStepError(
                f'the loss of a step must be finite, got {losses.total}: lower '
                'adaptation.learning_rate')
        # A gradient that is not finite is in the optimiser's moments, and in the head after that.
        moments = [value for state in self.optimiser.state.values()
                   for name, value in state.items() if name != 'step']
        finite = torch.stack([
            value.isfinite().all() for value in (*self.head.parameters(), *moments)])
        if not finite.all():
            raise BadStepError(
                'the gradient of a step must be finite, got infinity or NaN: lower '
                'adaptation.learning_rate')

    def _learnt(self) -> Learnt:
        return Learnt(
            copy.deepcopy(self.head.state_dict()), copy.deepcopy(self.average.state_dict()),
            copy.deepcopy(self.optimiser.state_dict()), dict(self.bank.prototypes))

    def _restore(self, before: Learnt) -> None:
        self.head.load_state_dict(before.head)
        self.average.load_state_dict(before.average)
        self.optimiser.load_state_dict(before.optimiser)
        self.bank.prototypes = before.prototypes
        self.optimiser.zero_grad()
        self.head.batch_norm.eval()

    def _features(self, sample: Sample) -> Features:
        """Return the batch (previous frame, frame), on the head's device."""
        if sample.previous is None:
            return batch(self.head, sample.features)
        return batch(self.head, sample.previous, sample.features)

    def _distill(self, logits: Tensor, label: Tensor, weight: Tensor | None) -> Tensor:
        """Return the distillation loss of logits [1, C, h, w] against labels [H, W]."""
        rule = self.settings
        scores = upsample(logits, (label.shape[0], label.shape[1]))[0]  # [C, H, W]
        if rule.distill_on == 'probabilities':
            scores = scores.softmax(0)
        if rule.class_balance > 0:
            rarity = class_weight(label, len(scores), rule.class_balance)
            weight = rarity if weight is None else weight * rarity
        return distill_loss(scores, label, weight, rule.focal_gamma)

    def _contrast(self, features: Features, feature: Tensor, object_id: Tensor) -> Tensor:
        """Contrastive loss of the batch's last frame, whose live fused feature is [1, D, h, w]."""
        self.momentum.batch_norm.train(self.settings.batch_norm == 'train')
        with torch.no_grad():
            decoded = self.momentum(features)
            target = self.momentum.project(decoded.feature[-1:])[0]  # [D, h, w]
            size_px = (object_id.shape[0], object_id.shape[1])
            prob = upsample(decoded.logits[-1:], size_px)[0].softmax(0)
        return contrast_loss(
            self.head.project(feature)[0], target, prob, object_id, self.bank)
