"""What the tests of the methods share: the embedded segmenter and a short stream of its world."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn

from ditta_ros.demo.shifts import Shift
from ditta_ros.demo.world import World
from ditta_ros.evaluation.baselines import Method, TrueFrame
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Segmentation
from fakes import InstanceTracker

SIZE_PX = (96, 128)
FRAMES = 8
RATE_HZ = 10.0


@pytest.fixture(scope='session')
def segmenter() -> Segmenter:
    """The embedded one; no method may change it."""
    return Segmenter.load('')


@pytest.fixture(scope='session')
def scenes() -> list[tuple[TrueFrame, Tensor]]:
    """Frames of a noisy world with their truth, and their instances, int [H, W]."""
    world, noise = World(21, SIZE_PX), Shift('noise', 0.5)
    out = []
    for t in range(FRAMES):
        frame = world.frame(t / RATE_HZ)
        rgb = noise.apply(frame.rgb, frame.depth_m, t)
        out.append((
            TrueFrame(round(t / RATE_HZ * 1e9), 'camera', torch.from_numpy(rgb),
                      torch.from_numpy(frame.semantic)),
            torch.from_numpy(frame.instance.astype('int64'))))
    return out


@pytest.fixture
def frames(scenes: list[tuple[TrueFrame, Tensor]]) -> list[TrueFrame]:
    return [frame for frame, _ in scenes]


@pytest.fixture
def tracker(scenes: list[tuple[TrueFrame, Tensor]]) -> InstanceTracker:
    """A tracker that is never wrong."""
    return InstanceTracker(torch.stack([instance for _, instance in scenes]))


@pytest.fixture
def fed() -> Callable[[Method, Iterable[TrueFrame]], list[Segmentation]]:
    """Feed frames to a method, with all the work that it has after each."""
    def feed(method: Method, frames: Iterable[TrueFrame]) -> list[Segmentation]:
        out = []
        for frame in frames:
            out.append(method.feed(frame))
            while method.work():
                pass
        return out
    return feed


@pytest.fixture
def state() -> Callable[[nn.Module], dict[str, Tensor]]:
    """Copy the weights and statistics of modules."""
    def copied(*modules: nn.Module) -> dict[str, Tensor]:
        return {
            f'{index}.{name}': value.clone() for index, module in enumerate(modules)
            for name, value in module.state_dict().items()}
    return copied


@pytest.fixture
def changed() -> Callable[[dict[str, Tensor], dict[str, Tensor]], set[str]]:
    """Names of what differs between two states, by a bit or more."""
    def names(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
        assert before.keys() == after.keys()
        return {name for name, value in before.items() if not torch.equal(value, after[name])}
    return names
