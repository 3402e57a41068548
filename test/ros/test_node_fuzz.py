"""10,000 messages, most of them no images, into the real node over DDS: none goes uncounted.

A message whose fields tell that it is bad is counted as it arrives and takes no good one's
place; a good one is awaited before the next is sent, so that none supersedes another.  Hence
every count is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage

from ditta_ros.ros.messages import CameraImage
from hostile_images import Hostile
from live_node import Camera, camera_before, given, reliable, running_node
from random_models import save_random_segformer

GOOD_SHARE = 0.05
BURST = 100  # bad messages in a row at most: what DDS must keep for a busy node
DEPTH = 2 * BURST
QOS = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE)
# The claims are of gigapixels: three bytes each were 3 GB.
MOST_MEMORY_MB = 500


def send(
    camera: Camera, count: int, good: Callable[[], CameraImage], bad: Callable[[], CameraImage],
) -> int:
    """Send ``count`` messages, the last of them good, and return how many were good."""
    random = Random(0)
    good_ones = row = 0
    for index in range(count):
        row += 1
        if random.random() < GOOD_SHARE or row > BURST or index == count - 1:
            message = good()
            mask, _ = camera.show(message)
            assert mask.header == message.header
            good_ones, row = good_ones + 1, 0
        else:
            camera.publisher.publish(bad())
    return good_ones


def counts(camera: Camera) -> dict[str, int]:
    dropped = {cause: count for cause, count in camera.status['dropped'].items() if count}
    return {'received': camera.status['frames_received'],
            'labelled': camera.status['frames_labelled'], **dropped}


def await_counts(camera: Camera, expected: dict[str, int]) -> None:
    camera.until(lambda: camera.status['frames_received'] >= expected['received'], 'last message')
    camera.until(lambda: counts(camera) == expected, f'counts {expected}')


def peak_memory_mb(pid: int) -> float:
    """Return the most memory that the process has had, in MB."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith('VmHWM')).split()[1]) / 1024


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_random_segformer(tmp_path / 'model')


def test_nine_thousand_images(tmp_path: Path, domain_id: int, model: Path) -> None:
    log = tmp_path / 'log.txt'
    values = given(f'segmenter.model:={model}', 'segmenter.device:=cpu', 'warm_up.amount:=0')
    hostile = Hostile(4)
    with (
        running_node(log, *values, *reliable(depth=DEPTH)) as process,
        camera_before(process, log, domain_id, qos=QOS) as camera,
    ):
        camera.await_node()
        camera.show(hostile.good())
        before_mb = peak_memory_mb(process.pid)
        good = 1 + send(camera, 9000, hostile.good, hostile.bad)
        await_counts(
            camera, {'received': 9001, 'labelled': good, 'bad_message': 9001 - good})
        assert peak_memory_mb(process.pid) < before_mb + MOST_MEMORY_MB


def test_a_thousand_compressed_images(tmp_path: Path, domain_id: int, model: Path) -> None:
    log = tmp_path / 'log.txt'
    values = given(f'segmenter.model:={model}', 'segmenter.device:=cpu', 'warm_up.amount:=0',
                   'image_transport:=compressed')
    hostile = Hostile(5)
    with (
        running_node(log, *values, *reliable('/image/compressed', DEPTH)) as process,
        camera_before(process, log, domain_id, qos=QOS, kind=CompressedImage,
                      topic='image/compressed') as camera,
    ):
        camera.await_node()
        camera.show(hostile.good_coded())
        before_mb = peak_memory_mb(process.pid)
        good = 1 + send(camera, 1000, hostile.good_coded, hostile.bad_coded)
        expected = {'received': 1001, 'labelled': good, 'bad_message': 1001 - good}
        await_counts(camera, expected)
        # These are found to be bad when they are decoded, which the next one must wait for.
        for _ in range(5):
            camera.publisher.publish(hostile.undecodable())
            for name in ('received', 'bad_message'):
                expected[name] += 1
            await_counts(camera, expected)
        assert peak_memory_mb(process.pid) < before_mb + MOST_MEMORY_MB
