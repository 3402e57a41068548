"""The bound on a warm-up's memory, by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ditta_ros.memory import warm_up_memory
from ditta_ros.segmenter import Head
from ditta_ros.settings import AdaptationSettings, Settings

SIZE_PX = (40, 60)
FEATURES = tuple(torch.zeros((1, width, 10 >> stage, 15 >> stage), dtype=torch.float16)
                 for stage, width in enumerate((4, 6, 8, 10)))
HEAD = Head((4, 6, 8, 10), 12, 5)


def test_what_waits_grows_with_the_frames() -> None:
    memory = warm_up_memory(Settings(), HEAD, FEATURES, SIZE_PX, 20, 3.5)  # type: ignore[arg-type]
    stages = 4 * 10 * 15 + 6 * 5 * 7 + 8 * 2 * 3 + 10 * 1 * 1
    assert memory.features_mb == pytest.approx(20 * stages * 2 / 1e6)
    assert memory.frames_mb == pytest.approx(20 * 40 * 60 * 12 / 1e6)
    assert memory.tracker_mb == 3.5
    assert str(memory).startswith('a warm-up of 20 frames takes up to 4 MB beside the networks')


def test_the_tracker_and_a_step_do_not_add_up() -> None:
    memory = warm_up_memory(Settings(), HEAD, FEATURES, SIZE_PX, 20, 0.0)  # type: ignore[arg-type]
    waiting = memory.features_mb + memory.frames_mb
    assert memory.total_mb == pytest.approx(waiting + memory.step_mb)
    large = dataclasses.replace(memory, tracker_mb=2 * memory.step_mb)
    assert large.total_mb == pytest.approx(waiting + 2 * memory.step_mb)
    turns = dataclasses.replace(large, learns_while_tracking=True)
    assert turns.total_mb == pytest.approx(waiting + 3 * memory.step_mb)


def test_a_step_without_contrast_needs_no_maps_of_objects() -> None:
    plain = Settings(adaptation=AdaptationSettings(contrast_weight=0.0))
    with_contrast, without = (
        warm_up_memory(settings, HEAD, FEATURES, SIZE_PX, 1, 0.0)  # type: ignore[arg-type]
        for settings in (Settings(), plain))
    maps = (with_contrast.step_mb - without.step_mb) * 1e6 / (4 * 40 * 60)
    assert maps == pytest.approx(6 * 5)  # of as many objects as classes
