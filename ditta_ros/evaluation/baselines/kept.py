"""Backbone features as the decode head takes them."""

from __future__ import annotations

import torch

from ditta_ros.segmenter import Features, Head


def batch(head: Head, *frames: Features) -> Features:
    """Return the features of several frames as one batch, where and as ``head`` computes."""
    like = head.classifier.weight
    first, second, third, fourth = (
        torch.cat(stage).to(like) for stage in zip(*frames, strict=True))
    return first, second, third, fourth
