"""The cues of a replay over real DDS: a node that listens late, and one that falls behind."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String

from ditta_ros.ros import replay_cues
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.qos import IMAGE_IN, LATCHED

PATIENCE_S = 60.0
HOLD_S = 1.0  # what must not have happened by then would have happened


def status(received: int, labelled: int, **dropped: int) -> dict[str, Any]:
    return {'phase': 'frozen', 'frames_received': received, 'frames_labelled': labelled,
            'dropped': {'superseded': 0, 'bad_message': 0, **dropped}}


@pytest.mark.parametrize(('now', 'answered'), [
    (status(0, 0), True),
    (status(5, 4), False),
    (status(5, 4, superseded=1), True),
    (status(5, 2, superseded=1, bad_message=1), False),
])
def test_images_are_answered_by_a_label_or_a_drop(now: dict[str, Any], answered: bool) -> None:
    assert replay_cues.all_answered(now) == answered


def test_the_summary_names_what_was_dropped_and_why() -> None:
    assert replay_cues.summary(status(9, 9)) == (
        '9 images received, 9 labelled, dropped: none; the phase is frozen')
    assert 'dropped: 2 superseded' in replay_cues.summary(status(9, 7, superseded=2))


@pytest.fixture
def cue(domain_id: int, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start the program with arguments; its log goes to log.txt."""
    running: list[subprocess.Popen] = []

    def start(*arguments: str) -> subprocess.Popen:
        with (tmp_path / 'log.txt').open('wb') as log:
            running.append(subprocess.Popen(
                [sys.executable, '-m', 'ditta_ros.ros.replay_cues', *arguments],
                stdout=log, stderr=subprocess.STDOUT, env=process_environment()))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def make_node(context: Context) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(name: str, namespace: str = '/') -> Node:
        nodes.append(rclpy.create_node(name, context=context, namespace=namespace))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def listen(node: Node, *topics: str) -> None:
    for topic in topics:
        node.create_subscription(Image, topic, lambda _: None, IMAGE_IN)


def wait_for_log(path: Path, text: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while text not in path.read_text():
        assert time.monotonic() < end_s, path.read_text()
        time.sleep(0.1)


def test_a_replay_begins_when_the_node_listens(
    cue: Callable[..., subprocess.Popen], make_node: Callable[..., Node], tmp_path: Path,
) -> None:
    listen(make_node('rviz'), '/camera/image_raw')  # another's interest is no cue
    node = make_node('ditta')
    listen(node, '/other/image_raw')
    process = cue('begin', '/camera/image_raw')
    wait_for_log(tmp_path / 'log.txt', 'waiting until the node listens to /camera/image_raw')
    time.sleep(HOLD_S)
    assert process.poll() is None
    listen(node, '/camera/image_raw')
    assert process.wait(PATIENCE_S) == 0


def test_a_recorded_replay_begins_when_the_recorder_listens_too(
    cue: Callable[..., subprocess.Popen], make_node: Callable[..., Node], tmp_path: Path,
) -> None:
    listen(make_node('ditta'), '/camera/image_raw')
    recorder = make_node('rosbag2_recorder')
    listen(recorder, '/segmentation/mask')
    process = cue('begin', '/camera/image_raw', '--recorded')
    wait_for_log(tmp_path / 'log.txt', 'waiting')
    time.sleep(HOLD_S)
    assert process.poll() is None
    listen(recorder, '/segmentation/confidence', '/segmentation/status')
    assert process.wait(PATIENCE_S) == 0


def test_a_replay_ends_when_no_image_waits_for_its_label(
    context: Context, make_node: Callable[..., Node],
) -> None:
    node, listener = make_node('ditta'), make_node('ditta_replay')
    publisher = node.create_publisher(String, 'segmentation/status', LATCHED)
    told = [status(8, 6), status(9, 7), status(9, 7, superseded=2)]

    def tell() -> None:
        for now in told:
            publisher.publish(String(data=json.dumps(now)))
            time.sleep(HOLD_S)  # twice as long as an end would take to be seen

    telling = threading.Thread(target=tell)
    telling.start()
    last = replay_cues.await_last_mask(listener, settled_s=HOLD_S / 2)
    telling.join()
    assert last == told[-1]


def test_a_status_that_goes_on_changing_in_all_but_its_counts_does_not_keep_a_replay_up(
    context: Context, make_node: Callable[..., Node],
) -> None:
    node, listener = make_node('ditta'), make_node('ditta_replay')
    publisher = node.create_publisher(String, 'segmentation/status', LATCHED)
    over = threading.Event()

    def tell() -> None:
        rate_hz = 10.0
        while not over.wait(HOLD_S / 10):
            rate_hz *= 0.9
            publisher.publish(String(data=json.dumps({**status(9, 9), 'rate_hz': rate_hz})))

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        last = replay_cues.await_last_mask(listener, settled_s=HOLD_S)
    finally:
        over.set()
        telling.join()
    assert replay_cues.counts(last) == (9, 9)


def test_a_replay_of_which_no_image_was_labelled_is_told_as_an_error(
    cue: Callable[..., subprocess.Popen], make_node: Callable[..., Node], tmp_path: Path,
) -> None:
    publisher = make_node('ditta').create_publisher(String, 'segmentation/status', LATCHED)
    publisher.publish(String(data=json.dumps(status(0, 0))))
    assert cue('end').wait(PATIENCE_S) == 0
    assert 'ERROR' in (tmp_path / 'log.txt').read_text()
    assert '0 images received, 0 labelled' in (tmp_path / 'log.txt').read_text()
