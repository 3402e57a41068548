"""The plain model beside a method: what it would have said of the same frame, at little cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ditta_ros.frame import Frame
from ditta_ros.segmenter import Features, Segmenter


@dataclass
class Kept:
    """The last image that was encoded, by which backbone, and what came out."""

    backbone: nn.Module | None = None
    rgb: Tensor | None = None
    mean: Tensor | None = None  # of the normalisation, which a warm-up may change
    features: Features | None = None


@dataclass(frozen=True, eq=False)
class KeepingSegmenter(Segmenter):
    """The method's segmenter: encodes as ever, and keeps the last result.

    A copy of it with another backbone, which may learn, keeps that one's results as such.
    """

    kept: Kept = field(default_factory=Kept)

    def encode(self, frame: Frame | Tensor) -> Features:
        """Run the backbone."""
        features = super().encode(frame)
        self.kept.backbone, self.kept.mean = self.backbone, self.mean
        self.kept.rgb = frame.rgb if isinstance(frame, Frame) else frame
        self.kept.features = features
        return features


@dataclass(frozen=True, eq=False)
class BorrowingSegmenter(Segmenter):
    """The plain model's segmenter: the same features need not be computed a second time."""

    kept: Kept = field(default_factory=Kept)

    def encode(self, frame: Frame | Tensor) -> Features:
        """Return what the method's segmenter made of the image just now, else run the backbone."""
        rgb = frame.rgb if isinstance(frame, Frame) else frame
        kept = self.kept
        if (kept.features is not None and kept.rgb is not None and kept.mean is self.mean
                and kept.backbone is self.backbone and torch.equal(kept.rgb, rgb)):
            return kept.features
        return super().encode(frame)


def beside(segmenter: Segmenter) -> tuple[KeepingSegmenter, BorrowingSegmenter]:
    """Return the segmenter of a method and that of the plain model beside it."""
    kept = Kept()
    return KeepingSegmenter(**vars(segmenter), kept=kept), BorrowingSegmenter(
        **vars(segmenter), kept=kept)
