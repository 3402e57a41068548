"""The folder of a small run: two methods on a bag of the demo world, masks and all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ditta_ros.demo.world import NAMES, PALETTE
from ditta_ros.evaluation.bags import IMAGE_TOPIC, TRUTH_TOPIC, BagWriter
from ditta_ros.evaluation.outcome import MASK_TOPIC, Job, Outcome, Run, write_outcome, write_run
from ditta_ros.evaluation.sources import open_source
from made_outcomes import outcome, scores


def of_world(job: Job, miou: float) -> Outcome:
    """An outcome on the bag with the world's own classes and colours."""
    return outcome(
        job, scores(miou, class_iou=(miou,) * len(NAMES)), class_names=NAMES, frames=8,
        labelled=8, evaluated=6, warm_up_frames=2,
        miou_of_frame=tuple((index, miou) for index in range(8)),
        palette=tuple(map(tuple, np.asarray(PALETTE).tolist())))


@pytest.fixture(scope='session')
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``source``, a bag, and ``run``: its masks by ISS are all of class 0.

    DiTTA labels as the truth is, but for frame 3, which it drops; TENT has not run yet.
    """
    folder = tmp_path_factory.mktemp('evaluated')
    frames = list(open_source('world:seed=7,frames=8'))
    with BagWriter(folder / 'source') as bag:
        for frame in frames:
            bag.image(IMAGE_TOPIC, frame.stamp_ns, frame.frame_id, frame.rgb)
            bag.image(TRUTH_TOPIC, frame.stamp_ns, frame.frame_id, frame.label)
    run = folder / 'run'
    run.mkdir()
    jobs = tuple(Job(str(folder / 'source'), method, '25%') for method in ('iss', 'ditta', 'tent'))
    write_run(Run(jobs, 'evaluate <b>world</b>'), run)
    for job, miou in zip(jobs[:2], (.5, .6), strict=True):
        with BagWriter(run / job.key) as bag:
            for index, frame in enumerate(frames):
                at = (frame.stamp_ns, frame.frame_id)
                if job.method == 'iss':
                    bag.image(MASK_TOPIC, *at, np.zeros_like(frame.label))
                elif index != 3:
                    bag.image(MASK_TOPIC, *at, frame.label)
        write_outcome(of_world(job, miou), run)
    return folder


@pytest.fixture
def run(made_once: Path, tmp_path: Path) -> Path:
    """A run's folder that the test may change; its source is ``made_once / 'source'``."""
    return Path(shutil.copytree(made_once / 'run', tmp_path / 'run'))


@pytest.fixture
def source(made_once: Path) -> str:
    """The bag that the run is of."""
    return str(made_once / 'source')
