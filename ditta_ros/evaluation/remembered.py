"""One stream adapted again and again: what does not depend on the adaptation is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ditta_ros.frame import Frame
from ditta_ros.prompts import Prompt
from ditta_ros.segmenter import Features, Segmenter
from ditta_ros.tracker import Masks, MaskTracker, Started


@dataclass(frozen=True, eq=False)
class RememberingSegmenter(Segmenter):
    """A segmenter that encodes a stamp once and returns the same features from then on."""

    # By stamp, and by the normalisation, which a warm-up may change.
    remembered: dict[tuple[int, tuple[float, ...]], Features] = field(default_factory=dict)

    @classmethod
    def around(cls, segmenter: Segmenter) -> RememberingSegmenter:
        """Return ``segmenter`` with a memory for one stream."""
        return cls(**vars(segmenter))

    def encode(self, frame: Frame | Tensor) -> Features:
        """Run the backbone over a frame whose stamp is new, else return what it gave."""
        if not isinstance(frame, Frame):  # a bare image has no stamp to know it by
            return super().encode(frame)
        key = frame.stamp_ns, tuple(self.mean.flatten().tolist())
        if key not in self.remembered:
            self.remembered[key] = super().encode(frame)
        return self.remembered[key]


class RememberingTracker:
    """A tracker that sees a stream once and repeats its masks for as long as it is asked alike.

    Repeating needs the same prompts on the same frames; the adaptation does not change them.
    """

    def __init__(self, tracker: MaskTracker) -> None:
        self._tracker = tracker
        self._tracked: list[Masks] = []
        self._prompted: dict[int, tuple[list[Prompt], Masks, list[Masks]]] = {}
        self._t = -1

    def start(self, size_px: tuple[int, int]) -> None:
        """Begin the stream (H, W), again where it has been seen."""
        if not self._tracked:
            self._tracker.start(size_px)
        self._t = -1

    def track(self, rgb: Tensor) -> Masks:
        """Return the masks on the next frame."""
        self._t += 1
        if self._t == len(self._tracked):
            self._tracked.append(self._tracker.track(rgb))
        return dict(self._tracked[self._t])

    def prompt(self, prompts: Sequence[Prompt]) -> Started:
        """Start objects on the current frame; raises ValueError for other prompts than before."""
        if self._t not in self._prompted:
            if self._t != len(self._tracked) - 1:
                raise ValueError(f'frame {self._t} was not prompted when it was tracked')
            here, backward = self._tracker.prompt(prompts)
            self._prompted[self._t] = (list(prompts), here, list(backward))
        asked, here, before = self._prompted[self._t]
        if asked != list(prompts):
            raise ValueError(f'frame {self._t} had other prompts when it was tracked')
        return Started(dict(here), iter(before))

    def memory_bound_mb(self, objects: int) -> float:
        """Return the bound of the tracker behind, in MB; the masks to repeat come on top."""
        return self._tracker.memory_bound_mb(objects)

    def stop(self) -> None:
        """Keep everything: the stream may be asked for again."""
