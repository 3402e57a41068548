"""The SegFormer's training leaves a directory that the engine opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ditta_ros.demo.train.parallel import Worker
from ditta_ros.demo.train.pool import open_pool, render
from ditta_ros.demo.train.segmenter import SegmenterPlan, rate_pool, train
from ditta_ros.demo.world import NAMES, PALETTE
from ditta_ros.segmenter import Segmenter


def test_two_steps_make_a_model_that_loads_and_rates_the_pool(tmp_path: Path) -> None:
    render(tmp_path / 'pool', 1, 1, lambda done: None)
    plan = SegmenterPlan(steps=2, frames_per_step=2)
    for name in ('one', 'two'):
        train(Worker(0, 1), plan, tmp_path / 'pool', tmp_path / name,
              lambda done, steps, text: None)
    weights = [(tmp_path / name / 'model.safetensors').read_bytes() for name in ('one', 'two')]
    assert weights[0] == weights[1]

    segmenter = Segmenter.load(str(tmp_path / 'one'))
    assert segmenter.label_set.names == NAMES
    assert np.array_equal(segmenter.label_set.palette, PALETTE)

    rate_pool(Worker(0, 1), tmp_path / 'one', tmp_path / 'pool', lambda done, steps, text: None)
    pool = open_pool(tmp_path / 'pool')
    # A network after two steps is seldom right, and where it is, something is written.
    assert 0 < (pool.reliability > 0).mean() < 1
