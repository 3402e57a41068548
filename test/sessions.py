"""Short streams and sessions for them, with a real, random segmenter and an exact tracker."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ditta_ros.frame import Frame
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import AdaptationSettings, Settings, WarmUpSettings
from fakes import InstanceTracker

SIZE_PX = (48, 64)
FRAMES = 6
WARM_UP = 3


def stream(count: int = FRAMES, size_px: tuple[int, int] = SIZE_PX) -> list[Frame]:
    """Frames of one still image that moves by a pixel each, 100 ms apart."""
    rng = torch.Generator().manual_seed(1)
    still = torch.randint(0, 256, (*size_px, 3), generator=rng, dtype=torch.uint8)
    still[:, size_px[1] // 2:] //= 4
    return [Frame(t * 100_000_000, 'camera', still.roll(t, 1)) for t in range(count)]


def session(segmenter: Segmenter, amount: float = WARM_UP, passes: int = 2,
            size_px: tuple[int, int] = SIZE_PX) -> Session:
    """A session whose objects are the two halves of the image."""
    instance = torch.ones((FRAMES, *size_px), dtype=torch.int64)
    instance[:, :, size_px[1] // 2:] = 2
    settings = Settings(
        warm_up=WarmUpSettings(amount=amount),
        adaptation=AdaptationSettings(
            passes=passes, learning_rate=1e-2, batch_norm='train', held_out_percent=0.0,
            learnt_share=1.0, statistics='keep'))
    return Session(settings, segmenter, InstanceTracker(instance))


def finish(walk: Session) -> int:
    """Do all the work that there is now; return how many units that were."""
    units = 0
    while walk.work():
        units += 1
    return units


def adapted(segmenter: Segmenter) -> Session:
    """A session that has learnt its warm-up."""
    walk = session(segmenter)
    for frame in stream()[:WARM_UP]:
        walk.feed(frame)
        finish(walk)
    return walk


def same(one: Session, other: Session, frames: Sequence[Frame] = ()) -> bool:
    """Whether both label the same frames alike, to the last bit of the reliability."""
    pairs = [(one.feed(frame), other.feed(frame)) for frame in frames or stream()]
    return all(torch.equal(a.label, b.label) and torch.equal(a.reliability, b.reliability)
               for a, b in pairs)
