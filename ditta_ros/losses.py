"""What the head's outputs are held against: distillation and contrast (Eq. 5-7)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.labels import unlabelled_in
from ditta_ros.segmenter import entropy, interpolation, relative_to_largest

NO_OBJECT = -100  # cross entropy's ignored target


def distill_label(object_label: Tensor, iss_label: Tensor) -> Tensor:
    """Label to learn, [H, W]: the object's class where there is one, else the ISS's."""
    return torch.where(object_label != unlabelled_in(object_label), object_label, iss_label)


def distill_loss(
    scores: Tensor, label: Tensor, weight: Tensor | None = None, focal_gamma: float = 0.0,
) -> Tensor:
    """Mean cross entropy (Eq. 5) of [C, H, W] against labels [H, W].

    ``scores`` are logits, or probabilities, which go through a second softmax as in the reference.
    Beyond the paper: the mean is weighted by ``weight`` [H, W] >= 0, and is 0 where all of it is;
    ``focal_gamma`` > 0 multiplies a pixel's loss by (1 - p) ^ gamma, p the probability of its
    label (Lin et al., Focal Loss, ICCV 2017).
    """
    if weight is None and focal_gamma == 0:
        return F.cross_entropy(scores[None], label.long()[None])
    loss = F.cross_entropy(scores[None], label.long()[None], reduction='none')[0]  # [H, W]
    if focal_gamma > 0:
        # The slope of a power below 1 has no bound at 0.
        loss = loss * (-torch.expm1(-loss)).clamp_min(1e-6) ** focal_gamma
    if weight is None:
        return loss.mean()
    return (loss * weight).sum() / weight.sum().clamp_min(1e-6)


def class_weight(label: Tensor, classes: int, balance: float) -> Tensor:
    """Weight of every pixel by the rarity of its class, float32 [H, W], 1 on average.

    It is in proportion to share ^ -balance, the share being of the pixels of ``label`` [H, W] that
    have the class; 1 weighs all classes alike, 0 all pixels.
    """
    count = torch.bincount(label.flatten().long(), minlength=classes).float()
    rarity = torch.where(count > 0, count, 1.0) ** -balance
    weight = rarity[label.long()]
    return weight / weight.mean()


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
