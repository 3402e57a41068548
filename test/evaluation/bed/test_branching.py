"""Walks that share a tracker are given what each would be given by one of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from ditta_ros.evaluation.bed.branching import BranchingTracker
from ditta_ros.prompts import Prompt
from fakes import InstanceTracker

INSTANCE = torch.tensor([[[1, 2, 3]], [[2, 3, 1]], [[3, 1, 2]], [[1, 1, 2]]])
FRAMES = [torch.full((1, 3, 3), t, dtype=torch.uint8) for t in range(4)]
ONE, TWO = Prompt(1, 0, 0, 0, 0), Prompt(2, 1, 1, 0, 0)
OTHER = Prompt(2, 1, 2, 0, 0)
# What is asked on each frame.
LONG = [[ONE], [TWO], [], []]
WALKS = [LONG[:2], LONG, [[ONE], [OTHER], [], []], [[ONE], [], [Prompt(2, 2, 0, 0, 0)]], LONG]


class Counted(InstanceTracker):
    """Counts what is really tracked."""

    tracked = prompted = 0

    def track(self, rgb: Tensor) -> dict[int, Tensor]:
        self.tracked += 1
        return super().track(rgb)

    def prompt(self, prompts):
        self.prompted += 1
        return super().prompt(prompts)


def walked(tracker, prompts: list[list[Prompt]], frames: list[Tensor] = FRAMES) -> list:
    """Return all masks of a walk, in order."""
    tracker.start((1, 3))
    seen = []
    for rgb, asked in zip(frames, prompts, strict=False):
        seen.append(plain(tracker.track(rgb)))
        if asked:
            here, backward = tracker.prompt(asked)
            seen += [plain(here), [plain(each) for each in backward]]
    tracker.stop()
    return seen


def plain(masks: dict[int, Tensor]) -> dict[int, list]:
    return {number: mask.tolist() for number, mask in masks.items()}


def test_every_walk_is_as_with_a_tracker_of_its_own() -> None:
    shared = BranchingTracker(InstanceTracker(INSTANCE))
    for prompts in WALKS:
        assert walked(shared, prompts) == walked(InstanceTracker(INSTANCE), prompts)
    assert walked(shared, LONG)[1] == {1: [[True, False, False]]}  # by hand


def test_what_is_asked_alike_is_tracked_once() -> None:
    counted = Counted(INSTANCE)
    shared = BranchingTracker(counted)
    walked(shared, LONG[:2])
    assert (counted.tracked, counted.prompted) == (2, 2)
    walked(shared, LONG)  # goes on where the short one ended
    assert (counted.tracked, counted.prompted) == (4, 2)
    walked(shared, LONG)
    assert (counted.tracked, counted.prompted) == (4, 2)
    walked(shared, WALKS[2])  # again to the second frame, whose prompts are others, and on
    assert (counted.tracked, counted.prompted) == (8, 4)


def test_a_picture_in_other_colours_is_tracked_anew() -> None:
    counted = Counted(INSTANCE)
    shared = BranchingTracker(counted)
    walked(shared, LONG)
    other = [*FRAMES[:2], FRAMES[2] + 100, FRAMES[3]]
    walked(shared, LONG, other)
    assert counted.tracked == 4 + 4  # two frames again, two anew
    walked(shared, LONG, other)
    walked(shared, LONG)
    assert counted.tracked == 8
