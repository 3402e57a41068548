"""The same bag, settings and seed on the CPU: the same masks bit for bit, in another process too.

How far this reaches: torch adds in another order with another number of threads, so that equal
masks are promised for an equal number of threads (``OMP_NUM_THREADS``) of the same machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ditta_ros.demo.world import stream
from ditta_ros.evaluation.bags import IMAGE_TOPIC, BagWriter

FRAMES, WARM_UP = 12, 5
PROGRAM = """
import hashlib, sys
from pathlib import Path
from ditta_ros.evaluation.bags import bag_source
from ditta_ros.frame import Frame
from ditta_ros.opening import open_session
from ditta_ros.provenance import digest
from ditta_ros.settings import from_flat

session = open_session(from_flat({
    'segmenter.device': 'cpu', 'segmenter.max_side_px': 96, 'tracker.image_size_px': 96,
    'warm_up.amount': float(sys.argv[2]), 'adaptation.passes': 2,
    'adaptation.held_out_percent': 0.0, 'adaptation.learning_rate': 1e-3,
    'adaptation.seed': int(sys.argv[3])}))
masks = hashlib.sha256()
for shown in bag_source(Path(sys.argv[1])):
    made = session.feed(Frame.from_array(shown.rgb, shown.stamp_ns))
    while session.work():
        pass
    masks.update(digest({'label': made.label, 'reliability': made.reliability}).encode())
status = session.status()
print(status['adaptation_steps'], status['objects'], masks.hexdigest())
"""


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('determinism') / 'bag'
    with BagWriter(path) as writer:
        for index, frame in enumerate(stream(5, FRAMES)):
            writer.image(IMAGE_TOPIC, 10**9 + index * 10**8, 'camera', frame.rgb)
    return path


def told(bag: Path, seed: int = 0, threads: int = 1) -> tuple[int, int, str]:
    """Run the engine over the bag in a process of its own: steps, objects, digest of all masks."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', PROGRAM, bag, str(WARM_UP), str(seed)],
        env={**os.environ, 'OMP_NUM_THREADS': str(threads)}, text=True, capture_output=True,
        check=False)
    assert done.returncode == 0, done.stderr
    steps, objects, masks = done.stdout.split()
    return int(steps), int(objects), masks


def test_the_same_run_twice_gives_the_same_masks(bag: Path) -> None:
    once = told(bag)
    steps, objects, _ = once
    assert steps == 2 * WARM_UP and objects > 0, 'nothing was learnt: equal masks show nothing'
    assert told(bag) == once
    assert told(bag, seed=1)[2] != once[2], 'the digest does not see what changes'


def test_two_threads_give_the_same_masks_each_time(bag: Path) -> None:
    assert told(bag, threads=2) == told(bag, threads=2)
