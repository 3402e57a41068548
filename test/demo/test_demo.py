"""The demo as a user runs it: the real node, real DDS, the embedded models."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ditta_ros.demo.walk import fresh_bag
from ditta_ros.demo.world import NAMES, stream
from ditta_ros.evaluation.bags import BagError, BagWriter, bag_source
from ditta_ros.ros.dds import process_environment

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.dds


def demo(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', 'ditta_ros.demo', '--out', str(out), '--set',
         'adaptation.passes=1', *arguments],
        cwd=ROOT, env=process_environment({**os.environ, 'COLUMNS': '120'}), text=True,
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)


def test_a_world_with_truth(tmp_path: Path) -> None:
    done = demo(tmp_path, '--source', 'world:seed=7,shift=noise:0.5,frames=12')
    assert done.returncode == 0, done.stdout
    assert 'frames: 12 in, 12 labelled, 0 dropped' in done.stdout
    for word in ('mIoU', 'mVC8', 'wIoU', 'frames 3 to 11, after the warm-up'):
        assert word in done.stdout
    assert cv2.imread(str(tmp_path / 'demo.png')).shape[1] == 1600
    masks = list(bag_source(tmp_path / 'masks', '/segmentation/mask'))
    world = list(stream(7, 12))
    assert len(masks) == 12
    right = [(mask.rgb[:, :, 0] == truth.semantic).mean()
             for mask, truth in zip(masks, world, strict=True)]
    assert np.mean(right) > 0.3  # of twelve classes: the masks belong to their frames
    assert all(mask.rgb.max() < len(NAMES) for mask in masks)


def test_a_folder_without_truth(tmp_path: Path) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    for index, frame in enumerate(stream(3, 4)):
        cv2.imwrite(str(folder / f'{index}.png'), frame.rgb[:, :, ::-1])
    done = demo(tmp_path / 'out', '--source', str(folder), '--set', 'warm_up.amount=0')
    assert done.returncode == 0, done.stdout
    assert '4 in, 4 labelled, 0 dropped' in done.stdout
    assert 'mIoU' not in done.stdout
    assert 'flicker' in done.stdout
    # Without a warm-up the node is the plain model itself.
    assert '100.0 %' in next(line for line in done.stdout.splitlines() if 'alike' in line)


def test_what_cannot_run_says_why_in_a_line(tmp_path: Path) -> None:
    done = demo(tmp_path, '--source', 'nowhere.mp4')
    assert (done.returncode, done.stdout.strip()) == (2, 'nowhere.mp4: no such file or folder')


def test_an_earlier_run_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / 'masks'
    with BagWriter(path) as bag:
        bag.image('/image', 1, '', np.zeros((2, 3), np.uint8))
    assert not fresh_bag(path).exists()
    path.mkdir()
    (path / 'holiday.jpg').touch()
    with pytest.raises(BagError, match='holds more than a bag'):
        fresh_bag(path)
    assert (path / 'holiday.jpg').exists()
