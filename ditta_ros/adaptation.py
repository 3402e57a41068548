"""How the decode head learns from a warm-up: losses, memory bank and optimiser (Eq. 5-8)."""

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
from ditta_ros.labels import unlabelled_in
from ditta_ros.segmenter import (
    Decoded,
    Features,
    Head,
    entropy,
    interpolation,
    relative_to_largest,
    upsample,
)
from ditta_ros.settings import AdaptationSettings
from ditta_ros.temporal import add_on

NO_OBJECT = -100  # cross entropy's ignored target


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


@dataclass(frozen=True)
class Losses:
    """The terms of Eq. 8 before the step; a term that is not computed is 0."""

    distill: float
    distill_add: float
    contrast: float
    total: float  # the sum of all terms, contrast and anchor weighted
    anchor: float = 0.0  # the divergence from the frozen segmenter


def distill_label(object_label: Tensor, iss_label: Tensor) -> Tensor:
    """Label to learn, [H, W]: the object's class where there is one, else the ISS's."""
    return torch.where(object_label != unlabelled_in(object_label), object_label, iss_label)


def distill_loss(scores: Tensor, label: Tensor) -> Tensor:
    """Mean cross entropy (Eq. 5) of [C, H, W] against labels [H, W].

    ``scores`` are logits, or probabilities, which go through a second softmax as in the reference.
    """
    return F.cross_entropy(scores[None], label.long()[None])


class UnitUpsampling:
    """Unit-length features on the image grid, without the features on the image grid.

    A projected feature map [D, h, w] is normalised, upsampled to [D, H, W] and normalised again.
    Only inner products with it are needed, and they commute with the (linear) upsampling; the
    length of an upsampled feature follows from the inner products of neighbouring features.
    So D channels are never upsampled, only one per prototype.  Exact but for rounding.
    """

    def __init__(self, feature: Tensor, size_px: tuple[int, int]) -> None:
        height, width = feature.shape[-2:]
        self.feature = F.normalize(feature, dim=0)  # [D, h, w]
        self.down = interpolation(height, size_px[0], feature)  # [H, h]
        self.across = interpolation(width, size_px[1], feature)  # [W, w]
        self.length = self._squared_length().clamp_min(1e-8).sqrt()  # [H, W]

    def _squared_length(self) -> Tensor:
        f = self.feature
        below, right = f[:, 1:], f[:, :, 1:]
        itself = (f * f).sum(0)  # [h, w]
        beside = (f[:, :, :-1] * right).sum(0)  # [h, w - 1]
        under = (f[:, :-1] * below).sum(0)  # [h - 1, w]
        diagonal = (f[:, :-1, :-1] * below[:, :, 1:] + f[:, :-1, 1:] * below[:, :, :-1]).sum(0)
        # A pixel mixes at most two neighbouring rows and two neighbouring columns, so its squared
        # length is a sum over pairs of them, weighted by products of the interpolation weights.
        rows, row_pairs = self.down ** 2, 2 * self.down[:, :-1] * self.down[:, 1:]
        columns, column_pairs = self.across ** 2, 2 * self.across[:, :-1] * self.across[:, 1:]
        return (
            rows @ itself @ columns.T + rows @ beside @ column_pairs.T
            + row_pairs @ under @ columns.T + row_pairs @ diagonal @ column_pairs.T / 2)

    def similarity(self, prototypes: Tensor) -> Tensor:
        """Cosine of every pixel with unit vectors [K, D]: [K, H, W]."""
        small = torch.einsum('kd,dhw->khw', prototypes, self.feature)
        return self.down @ small @ self.across.T / self.length

    def weighted_sum(self, weights: Tensor) -> Tensor:
        """Sum of the unit features over the image with weights [K, H, W]: [K, D]."""
        small = self.down.T @ (weights / self.length) @ self.across  # [K, h, w]
        return torch.einsum('khw,dhw->kd', small, self.feature)


class MemoryBank:
    """A running prototype of every object: object_id -> unit vector [D] (Eq. 6)."""

    def __init__(self) -> None:
        self.prototypes: dict[int, Tensor] = {}

    def update(self, object_ids: list[int], new: Tensor) -> Tensor:
        """Average unit vectors ``new`` [K, D] into the bank; return the objects', [K, D]."""
        for object_id, vector in zip(object_ids, new, strict=True):
            old = self.prototypes.get(object_id, vector)
            self.prototypes[object_id] = F.normalize((old + vector) / 2, dim=0)
        return torch.stack([self.prototypes[object_id] for object_id in object_ids])


def contrast_loss(
    feature: Tensor, momentum_feature: Tensor, momentum_scores: Tensor, object_id: Tensor,
    bank: MemoryBank,
) -> Tensor:
    """Contrastive loss (Eq. 7) of one frame; updates ``bank`` with the frame's objects (Eq. 6).

    ``feature`` and ``momentum_feature`` [D, h, w] are the projected features of the live and the
    momentum head; ``momentum_scores`` [C, H, W] are what the weight of a pixel is computed from:
    the reliability (Eq. 2) of their softmax, where the reference gives probabilities.  Its scale
    does not matter, since prototypes have unit length.  ``object_id`` is int [H, W].
    Pixels without object count as 0 in the mean.
    """
    values, own = object_id.unique(return_inverse=True)
    object_ids = values[values > 0]
    if len(object_ids) == 0:
        return feature.sum() * 0
    own = own - (len(values) - len(object_ids))  # row of the pixel's prototype, < 0: none
    masks = own == torch.arange(len(object_ids), device=own.device)[:, None, None]  # [K, H, W]
    size_px = (object_id.shape[0], object_id.shape[1])
    with torch.no_grad():
        # The floor keeps an object whose pixels all have weight 0: its mean is then a plain one.
        weight = relative_to_largest(entropy(momentum_scores.softmax(0))).clamp_min(1e-6)
        new = UnitUpsampling(momentum_feature, size_px).weighted_sum(masks * weight)
        prototypes = bank.update(object_ids.tolist(), F.normalize(new, dim=1))
    similarity = UnitUpsampling(feature, size_px).similarity(prototypes)  # [K, H, W]
    loss = F.cross_entropy(
        similarity[None], torch.where(own < 0, NO_OBJECT, own)[None], ignore_index=NO_OBJECT,
        reduction='sum')
    return loss / object_id.numel()


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

    @torch.enable_grad()
    def _step(self, sample: Sample) -> Losses:
        size_px = (sample.iss_label.shape[0], sample.iss_label.shape[1])
        label = distill_label(sample.object_label, sample.iss_label)
        features = self._features(sample)
        self.head.batch_norm.train(self.settings.batch_norm == 'train')
        decoded = self.head(features)  # [B, D, h, w] and [B, C, h, w], this frame last
        self.head.batch_norm.eval()

        distill = distill_loss(self._scores(decoded.logits[-1:], size_px), label)
        distill_add = torch.zeros_like(distill)
        if sample.previous is not None:
            previous = Decoded(decoded.feature[:1], decoded.logits[:1])
            carried = add_on(self.head, decoded.feature[-1:], previous)
            distill_add = distill_loss(self._scores(carried, size_px), label)
        contrast = torch.zeros_like(distill)
        if self.settings.contrast_weight > 0:
            contrast = self._contrast(features, decoded.feature[-1:], sample.object_id)
        anchor = self._anchor(features, decoded.logits)
        total = (distill + distill_add + self.settings.contrast_weight * contrast
                 + self.settings.anchor_weight * anchor)

        self.optimiser.zero_grad()
        total.backward()
        self.optimiser.step()
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

    def _scores(self, logits: Tensor, size_px: tuple[int, int]) -> Tensor:
        """Upsample logits [1, C, h, w] to what the distillation loss takes, [C, H, W]."""
        large = upsample(logits, size_px)[0]
        return large.softmax(0) if self.settings.distill_on == 'probabilities' else large

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
