"""The player against the real node, and against nodes that do not do their part."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import String

from ditta_ros.demo.node_process import NodeError, NodeProcess
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.player import OUTPUTS, Player, PlayerError
from ditta_ros.ros.qos import IMAGE_IN, IMAGE_OUT, LATCHED
from random_models import CLASSES, save_random_segformer

HEIGHT, WIDTH = 48, 80
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
STAMP_NS = 12 * 10**9 + 345
PATIENCE_S = 120.0  # a machine with other work to do takes its time to import torch


def healthy() -> None:
    """Nothing to check where the node is not a process."""


def test_the_real_node_answers(tmp_path: Path, domain_id: int) -> None:
    values = {'segmenter.model': str(save_random_segformer(tmp_path / 'model')),
              'segmenter.device': 'cpu', 'warm_up.amount': 0.0}
    log = tmp_path / 'node.log'
    with (
        NodeProcess(values, process_environment(), log) as node,
        Player(domain_id, node.check) as player,
    ):
        player.wait_for_node(PATIENCE_S)
        # The first may come before the node has learned of its viewer.
        assert player.ask(RGB, STAMP_NS - 1, 'front', PATIENCE_S / 4, 4) is not None
        for index in range(2):
            answer = player.ask(RGB, STAMP_NS + index, 'front', PATIENCE_S, 1)
            assert answer is not None and answer.sendings == 1 and answer.latency_s > 0
            assert answer.label.shape == (HEIGHT, WIDTH) and answer.label.max() < CLASSES
            assert answer.reliability.shape == (HEIGHT, WIDTH)
            assert 0 <= answer.reliability.min() <= answer.reliability.max() <= 1
            assert answer.overlay.shape == (HEIGHT, WIDTH, 3)
        assert player.wait_until(lambda: player.status.get('phase') == 'frozen', PATIENCE_S)
        assert node.stop() == 0, log.read_text()
        with pytest.raises(NodeError, match='the node ended with exit code 0'):
            node.check()


def test_a_node_that_ends_is_told_with_its_last_words(tmp_path: Path, domain_id: int) -> None:
    values = {'segmenter.model': str(tmp_path / 'nothing')}
    with (
        NodeProcess(values, process_environment(), tmp_path / 'node.log') as node,
        Player(domain_id, node.check) as player,
        pytest.raises(NodeError, match=r'(?s)exit code 1: .*segmenter.model.*node.log\)'),
    ):
        player.wait_for_node(PATIENCE_S)


class Impostor:
    """Has the node's topics; answers each image with its own header, changed, or not at all."""

    def __init__(self, context: Context, frame_id: str | None) -> None:
        self.received = 0
        self._frame_id = frame_id
        self.node = rclpy.create_node('impostor', context=context)
        self._outputs = [
            self.node.create_publisher(Image, f'segmentation/{name}', IMAGE_OUT)
            for name in OUTPUTS]
        self.status = self.node.create_publisher(String, 'segmentation/status', LATCHED)
        self.node.create_subscription(Image, 'image', self._take, IMAGE_IN)

    def _take(self, image: Image) -> None:
        self.received += 1
        if self._frame_id is not None:
            image.header.frame_id = self._frame_id
            for output in self._outputs:
                output.publish(image)


@contextmanager
def impostor(context: Context, frame_id: str | None) -> Iterator[Impostor]:
    """Let an Impostor work on a thread of its own."""
    made = Impostor(context, frame_id)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(made.node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield made
    finally:
        executor.shutdown()
        thread.join()
        made.node.destroy_node()


def test_an_image_without_an_answer_is_sent_again(context: Context, domain_id: int) -> None:
    with impostor(context, None) as silent, Player(domain_id, healthy) as player:
        player.wait_for_node(PATIENCE_S)
        assert player.ask(RGB, STAMP_NS, 'front', timeout_s=1.0, tries=3) is None
        # The first may come before the other side has learned of the publisher.
        assert player.wait_until(lambda: silent.received >= 2, PATIENCE_S)
        assert silent.received <= 3


def test_a_wrong_header_is_refused(context: Context, domain_id: int) -> None:
    with impostor(context, 'rear'), Player(domain_id, healthy) as player:
        player.wait_for_node(PATIENCE_S)
        with pytest.raises(PlayerError, match=r"header.*'front', 80x48\), got 'rear', 80x48"):
            player.ask(RGB, STAMP_NS, 'front', PATIENCE_S, 1)


def test_a_stream_goes_on_whether_answered_or_not(context: Context, domain_id: int) -> None:
    for frame_id in (None, 'camera'):
        with impostor(context, frame_id) as node, Player(domain_id, healthy, ['mask']) as player:
            player.wait_for_node(PATIENCE_S)
            sent = player.stream(cycle([RGB]), 20.0, lambda node=node: node.received >= 3)
            assert len(sent) >= 3
            assert all(later.sent_s - each.sent_s > 0.049 for each, later in pairwise(sent))
            answered = [each for each in sent if each.mask_s is not None]
            assert all(each.mask_s > each.sent_s for each in answered)
            assert len(answered) >= (3 if frame_id else 0)
            assert frame_id or not answered


def test_the_latched_status_is_read(context: Context, domain_id: int) -> None:
    with impostor(context, None) as node, Player(domain_id, healthy) as player:
        node.status.publish(String(data='{"phase": "adapt", "objects": 3}'))
        assert player.wait_until(lambda: player.status == {'phase': 'adapt', 'objects': 3},
                                 PATIENCE_S)


def test_no_node_is_told(domain_id: int) -> None:
    with (
        Player(domain_id, healthy) as player,
        pytest.raises(PlayerError, match='the node did not listen to image within 1 s'),
    ):
        player.wait_for_node(1.0)
