"""Prompts, votes and targets against the reference's, with a tracker that knows the truth."""

from __future__ import annotations

import numpy as np
import torch

from ditta_ros.prompts import Prompt, propose
from ditta_ros.targets import Votes, object_label, paint
from fakes import InstanceTracker

TAU, MARGIN_PX, MAX_OBJECTS = 0.8, 5, 100


def test_a_whole_warm_up(targets_golden: dict[str, np.ndarray]) -> None:
    label = torch.from_numpy(targets_golden['iss_label'])
    reliability = torch.from_numpy(targets_golden['reliability'])
    classes = targets_golden['class_score'].shape[1]
    length, height, width = label.shape
    rgb = torch.zeros((height, width, 3), dtype=torch.uint8)
    tracker = InstanceTracker(torch.from_numpy(targets_golden['instance']))
    votes = Votes(classes, MAX_OBJECTS)
    prompts: list[Prompt] = []
    masks: list[dict[int, torch.Tensor]] = []

    for t in range(length):
        votes.count_frame(label[t])
        tracked = tracker.track(rgb)
        occupied = None if t == 0 else torch.stack(
            [*tracked.values(), torch.zeros((height, width), dtype=torch.bool)]).any(0)
        new = propose(
            label[t], reliability[t], occupied, TAU, MARGIN_PX, len(prompts) + 1,
            MAX_OBJECTS - len(prompts), t)
        prompts += new
        added, backward = tracker.prompt(new)
        masks.append(tracked | added)
        votes.add(label[t], reliability[t], masks[t])
        for past, found in zip(range(t - 1, -1, -1), backward, strict=True):
            masks[past] |= found
            votes.add(label[past], reliability[past], found)
    scores = votes.scores()
    object_id = torch.stack([paint(frame, scores, (height, width)) for frame in masks])

    got = [[prompt.t, prompt.object_id, prompt.x_px, prompt.y_px] for prompt in prompts]
    np.testing.assert_array_equal(
        np.array(got).reshape(-1, 4), targets_golden['prompts_t_obj_x_y'])
    np.testing.assert_array_equal(
        votes.pixels_per_class.numpy(), targets_golden['pixels_per_class'])
    # The reference adds up in float32, we in float64.
    np.testing.assert_allclose(
        scores[:len(prompts) + 1].numpy(), targets_golden['class_score'], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(object_id.numpy(), targets_golden['object_id'])
    np.testing.assert_array_equal(
        object_label(object_id, scores).numpy(), targets_golden['label'])
