"""Backbone features as they wait for the learning, and as a head takes them up again."""

from __future__ import annotations

import torch

from ditta_ros.segmenter import Features, Head
from ditta_ros.settings import AdaptationSettings


def kept(features: Features, rule: AdaptationSettings) -> Features:
    """Return features as ``adaptation.features_device`` and ``features_dtype`` keep them."""
    device = features[0].device if rule.features_device == 'network' else torch.device('cpu')
    first, second, third, fourth = (
        stage.to(device, getattr(torch, rule.features_dtype)) for stage in features)
    return first, second, third, fourth


def batch(head: Head, *frames: Features) -> Features:
    """Return the features of several frames as one batch, where and as ``head`` computes."""
    like = head.classifier.weight
    first, second, third, fourth = (
        torch.cat(stage).to(like) for stage in zip(*frames, strict=True))
    return first, second, third, fourth
