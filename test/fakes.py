"""Stand-ins that are exact where the real parts are not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ditta_ros.prompts import Prompt
from ditta_ros.tracker import Started


class InstanceTracker:
    """A MaskTracker that knows the truth: an object's mask is the prompted pixel's instance.

    ``instance`` is int [T, H, W], the instances of the frames that track() will be given in order;
    0, the background, is one like any other.  ``buffer_frames``: how far back prompts reach; None:
    to the first frame.
    """

    def __init__(self, instance: Tensor, buffer_frames: int | None = None) -> None:
        self.instance = instance
        self.buffer_frames = len(instance) if buffer_frames is None else buffer_frames
        self.start((instance.shape[1], instance.shape[2]))

    def start(self, size_px: tuple[int, int]) -> None:
        assert size_px == tuple(self.instance.shape[1:]), 'the session got the frame size wrong'
        self.t = -1
        self.instances: dict[int, int] = {}  # object_id -> instance

    def track(self, rgb: Tensor) -> dict[int, Tensor]:
        assert tuple(rgb.shape) == (*self.instance.shape[1:], 3)
        self.t += 1
        return self._masks(list(self.instances), self.t)

    def prompt(self, prompts: Sequence[Prompt]) -> Started:
        for prompt in prompts:
            assert prompt.t == self.t, 'prompts are for the frame that was tracked last'
            assert prompt.object_id not in self.instances
            self.instances[prompt.object_id] = int(
                self.instance[self.t, prompt.y_px, prompt.x_px])
        new = [prompt.object_id for prompt in prompts]
        first = max(0, self.t - self.buffer_frames)
        return Started(
            self._masks(new, self.t),
            (self._masks(new, t) for t in range(self.t - 1, first - 1, -1)))

    def memory_bound_mb(self, objects: int) -> float:
        return 0.0

    def stop(self) -> None:
        self.instances.clear()

    def _masks(self, object_ids: list[int], t: int) -> dict[int, Tensor]:
        return {
            object_id: torch.eq(self.instance[t], self.instances[object_id])
            for object_id in object_ids}
