"""The survey of the network over real DDS, by a process that did not know of it before."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ditta_ros.doctor.seen import Endpoint, ImageTopic, from_json
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.messages import to_message
from ditta_ros.ros.qos import IMAGE_IN, IMAGE_OUT, LATCHED

PERIOD_S, PATIENCE_S = 0.1, 240.0
TOPICS = {'/front/image_raw', '/front/image_raw/compressed', '/image', '/segmentation/mask'}
PICTURE = to_message(np.zeros((48, 64, 3), np.uint8), 'bgr8', Header(frame_id='front'))


@contextmanager
def publishing(node: Node) -> Iterator[None]:
    """Publish on every publisher of ``node``, until left, whatever else this process does."""
    done = threading.Event()

    def publish() -> None:
        while not done.wait(PERIOD_S):
            for publisher in node.publishers:
                if publisher.msg_type is Image:
                    publisher.publish(PICTURE)
                elif publisher.msg_type is CompressedImage:
                    publisher.publish(CompressedImage(format='jpeg', data=b'12345'))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.fixture
def network(context: Context) -> Iterator[Node]:
    """A camera with two topics, the node's mask, and three that read it."""
    camera = rclpy.create_node('driver', context=context, namespace='/front')
    camera.create_publisher(Image, 'image_raw', IMAGE_IN)  # best effort, as sensor data are
    camera.create_publisher(CompressedImage, 'image_raw/compressed', IMAGE_OUT)
    ditta = rclpy.create_node('ditta', context=context)
    ditta.create_publisher(Image, 'segmentation/mask', IMAGE_OUT)
    ditta.create_subscription(Image, 'image', lambda _: None, IMAGE_IN)
    costmap = rclpy.create_node('costmap', context=context)
    costmap.create_subscription(Image, 'segmentation/mask', lambda _: None, IMAGE_OUT)
    viewer = rclpy.create_node('viewer', context=context)
    viewer.create_subscription(Image, 'segmentation/mask', lambda _: None, LATCHED)
    with publishing(camera):
        yield camera
    for node in (camera, ditta, costmap, viewer):
        node.destroy_node()


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-m', module, *arguments], env=process_environment(), text=True,
        check=False, capture_output=True)


def until(whole: Callable[[str], bool], module: str, *arguments: str) -> str:
    """Run a module until ``whole`` what it prints: a busy machine may not find all in time."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        done = run(module, *arguments)
        if whole(done.stdout):
            return done.stdout
        assert time.monotonic() < end_s, done.stdout + done.stderr


def complete(printed: str) -> bool:
    """Whether every topic was found, with all its ends, and the cameras were heard."""
    topics = {topic.name: topic for topic in from_json(printed)}
    return set(topics) == TOPICS and len(topics['/segmentation/mask'].subscriptions) == 2 and all(
        topic.images > 2 for topic in topics.values() if topic.name.startswith('/front'))


def test_what_is_seen_and_heard(network: Node) -> None:
    printed = until(complete, 'ditta_ros.ros.survey', '--listen-s', '4', '--settle-s', '4')
    topics = {topic.name: topic for topic in from_json(printed)}
    raw = topics['/front/image_raw']
    assert raw.publishers == (Endpoint('/front/driver', 'best_effort', 'volatile'),)
    assert (raw.type, raw.kind, raw.subscriptions) == ('Image', '64x48 bgr8', ())
    assert raw.rate_hz > 0 and raw.listened_s == 4
    coded = topics['/front/image_raw/compressed']
    assert (coded.type, coded.kind) == ('CompressedImage', 'jpeg, 5 bytes')
    assert topics['/image'] == ImageTopic(
        '/image', 'Image', (), (Endpoint('/ditta', 'best_effort', 'volatile'),))
    mask = topics['/segmentation/mask']
    assert mask.listened_s == 0 and mask.publishers == (
        Endpoint('/ditta', 'reliable', 'volatile'),)
    readers = {each.node: each for each in mask.subscriptions}
    assert readers['/costmap'] == Endpoint('/costmap', 'reliable', 'volatile')
    assert readers['/viewer'].durability == 'transient_local'
    assert readers['/viewer'].refuses == (
        'Volatile publisher and transient local subscription')


def test_the_doctor_tells_of_it(network: Node) -> None:
    printed = until(
        lambda printed: '/viewer' in printed and '64x48 bgr8' in printed and '/image"' in printed,
        'ditta_ros.doctor', '--json', '--listen-s', '4')
    found = {each['name']: each for each in json.loads(printed)}
    assert found['camera /front/image_raw']['state'] == 'ok'
    assert '64x48 bgr8' in found['camera /front/image_raw']['seen']
    assert found['camera /image']['state'] == 'problem'
    assert found['camera /image']['remedy'].endswith('image:=/front/image_raw')
    problems = [each for each in json.loads(printed)
                if each['state'] == 'problem' and each['name'].startswith('reader of')]
    (viewer,) = problems
    assert '/viewer' in viewer['seen']


def test_an_empty_network(domain_id: int) -> None:
    done = run('ditta_ros.ros.survey', '--listen-s', '0', '--settle-s', '0.5')
    assert (done.returncode, from_json(done.stdout)) == (0, []), done.stderr
