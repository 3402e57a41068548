"""Backbone features of one stream, computed once for each picture and input normalisation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from torch import Tensor

from ditta_ros.frame import Frame
from ditta_ros.segmenter import Features, Segmenter

Key = tuple[bytes, tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class EncodingOnce(Segmenter):
    """A segmenter that keeps the features of every picture, and gives them again for it.

    Known by its pixels, not by its stamp: the learning may look at pictures in other colours.
    """

    remembered: dict[Key, Features] = field(default_factory=dict)

    @classmethod
    def around(cls, segmenter: Segmenter) -> EncodingOnce:
        """Return ``segmenter`` with a memory for one stream."""
        return cls(**vars(segmenter))

    def encode(self, frame: Frame | Tensor) -> Features:
        """Run the backbone over a picture that is new, else return what it gave."""
        rgb = frame.rgb if isinstance(frame, Frame) else frame
        key = digest(rgb), (*self.mean.flatten().tolist(), *self.std.flatten().tolist())
        if key not in self.remembered:
            self.remembered[key] = super().encode(frame)
        return self.remembered[key]


def digest(rgb: Tensor) -> bytes:
    """Return what tells a picture, uint8 [H, W, 3], from any other."""
    return hashlib.blake2b(rgb.cpu().contiguous().numpy().tobytes(), digest_size=16).digest()
