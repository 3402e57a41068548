"""Plays frames to the node over DDS, one at a time, and awaits what it makes of each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from ditta_ros.ros.messages import to_message, to_rgb
from ditta_ros.ros.qos import IMAGE_OUT, LATCHED

OUTPUTS = ('mask', 'confidence', 'overlay')


class PlayerError(RuntimeError):
    """The node was not there, fell silent, or answered with what does not fit the image."""


@dataclass(frozen=True)
class Answer:
    """What the node published for one image.

    ``label`` uint8 [H, W]; ``reliability`` float32 [H, W] in 0..1, in steps of 1/255; ``overlay``
    uint8 [H, W, 3].  ``latency_s``: from sending the image to the arrival of its mask;
    ``sendings``: 1, or more where the image had to be sent again.
    """

    label: np.ndarray
    reliability: np.ndarray
    overlay: np.ndarray
    latency_s: float
    sendings: int


class Player:
    """A camera that waits for its viewer; a context manager around its own rclpy context.

    ``check`` is called while waiting and may raise, for example when the node's process ended.
    The next image is sent when the last one is answered, so a slow machine drops nothing.
    """

    def __init__(self, domain_id: int, check: Callable[[], None]) -> None:
        self.status: dict[str, Any] = {}
        self._check = check
        self._context = Context()
        # No handlers: Ctrl-C stays a KeyboardInterrupt.
        rclpy.init(context=self._context, domain_id=domain_id,
                   signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node('ditta_player', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._images = self._node.create_publisher(Image, 'image', IMAGE_OUT)
        self._arrived: dict[str, Image] = {}
        self._expected = Time()
        self._mask_s = 0.0
        for name in OUTPUTS:
            self._node.create_subscription(
                Image, f'segmentation/{name}', partial(self._take, name), IMAGE_OUT)
        self._node.create_subscription(String, 'segmentation/status', self._take_status, LATCHED)

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def wait_for_node(self, timeout_s: float) -> None:
        """Wait until the node listens to the images; raise PlayerError after ``timeout_s``."""
        def connected() -> bool:
            topics = [f'segmentation/{name}' for name in (*OUTPUTS, 'status')]
            return self._images.get_subscription_count() > 0 and all(
                self._node.count_publishers(topic) > 0 for topic in topics)
        if not self.wait_until(connected, timeout_s):
            raise PlayerError(f'the node did not listen to image within {timeout_s:.0f} s')

    def ask(
        self, rgb: np.ndarray, stamp_ns: int, frame_id: str, timeout_s: float, tries: int,
    ) -> Answer | None:
        """Send ``rgb`` (uint8 [H, W, 3]) and return the node's answer.

        The image is sent again where no answer came within ``timeout_s``; None after ``tries``
        sendings.  Raises PlayerError where the answer's frame_id or size is not the image's.
        """
        stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        message = to_message(rgb, 'rgb8', Header(stamp=stamp, frame_id=frame_id))
        self._arrived, self._expected = {}, stamp
        for sending in range(1, tries + 1):
            sent_s = time.monotonic()
            self._images.publish(message)
            if self.wait_until(lambda: len(self._arrived) == len(OUTPUTS), timeout_s):
                return self._answer(message, self._mask_s - sent_s, sending)
        return None

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Receive messages until ``done()`` holds; False where it does not in ``timeout_s``."""
        end_s = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > end_s:
                return False
            self._check()
            self._executor.spin_once(timeout_sec=0.1)
        return True

    def _take(self, name: str, message: Image) -> None:
        # What comes late, for an image that was sent twice, has the stamp of an earlier image.
        if message.header.stamp == self._expected and name not in self._arrived:
            self._arrived[name] = message
            if name == 'mask':
                self._mask_s = time.monotonic()

    def _take_status(self, message: String) -> None:
        self.status = json.loads(message.data)

    def _answer(self, sent: Image, latency_s: float, sendings: int) -> Answer:
        for name, got in self._arrived.items():
            if got.header != sent.header or (got.height, got.width) != (sent.height, sent.width):
                raise PlayerError(
                    f'segmentation/{name} must have the header and size of its image '
                    f'({sent.header.frame_id!r}, {sent.width}x{sent.height}), got '
                    f'{got.header.frame_id!r}, {got.width}x{got.height}')
        label, confidence = (
            np.ascontiguousarray(to_rgb(self._arrived[name])[:, :, 0])
            for name in ('mask', 'confidence'))
        return Answer(
            label, confidence.astype(np.float32) / 255, to_rgb(self._arrived['overlay']),
            latency_s, sendings)
