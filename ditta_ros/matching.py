"""An add-on that looks where it should from its first step on.

The add-on's attention (Eq. 1) carries the previous frame's logits to where the same thing is now.
Drawn at random, its scores are all alike: it carries the mean of an 11 x 11 window, which wipes
thin and small things out until it has learnt better, and a warm-up is short.  Here query and key
start as the whitened fused feature, so that a position attends to those that look like it.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ditta_ros.kept_features import batch
from ditta_ros.segmenter import Features, Head

FRAMES = 8  # of a warm-up, that the whitening is measured on
SELF_SCORE = 20.0  # mean score of a position with itself; those of others are about 0
FLOOR = 0.1  # of the mean variance, added to each: directions without content are not blown up


@torch.no_grad()
def match_features(head: Head, frames: Iterable[Features]) -> None:
    """Set the add-on's query and key layers of ``head`` from the frames of a warm-up.

    Both become f -> s Sigma^(-1/2) (f - mu): mu and Sigma are mean and covariance of the fused
    feature F over ``frames``, and s makes the mean of q . k of a position with itself
    ``SELF_SCORE``.  F is not negative, so that a first layer of ones passes the ReLU unchanged.
    """
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for features in frames:
        feature = head(batch(head, features)).feature[0].flatten(1).double()  # [D, N]
        count += feature.shape[1]
        total = total.to(feature) + feature.sum(1)
        products = products.to(feature) + feature @ feature.T
    if not count:
        raise ValueError('the add-on is matched to one frame at least, got none')
    mean = total / count
    covariance = products / count - torch.outer(mean, mean)
    whitening = _whitening(covariance)
    for mlp in (head.query_mlp, head.key_mlp):
        mlp.load_state_dict({
            '0.weight': torch.eye(len(mean)), '0.bias': torch.zeros(len(mean)),
            '2.weight': whitening, '2.bias': -whitening @ mean})


def _whitening(covariance: Tensor) -> Tensor:
    """Return s Sigma^(-1/2), [D, D], for a covariance [D, D]."""
    variance, axes = torch.linalg.eigh(covariance)
    # A feature that never varies leaves nothing to tell positions by: all scores are 0 then.
    lifted = (variance.clamp_min(0) + FLOOR * variance.mean()).clamp_min(1e-12)
    scale = SELF_SCORE / (variance.clamp_min(0) / lifted).sum().clamp_min(1e-12)
    return (axes * lifted.rsqrt()) @ axes.T * scale.sqrt()
