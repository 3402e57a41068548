"""Plays frames to the node over DDS: one at a time with its answer, or at a camera's rate."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
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
from ditta_ros.stamps import nanoseconds

OUTPUTS = ('mask', 'confidence', 'overlay')
LAST_MASK_S = 3.0  # a stream waits for masks on their way


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


@dataclass(frozen=True)
class Sent:
    """When an image was sent and its mask came, in s of the monotonic clock; None: it did not."""

    sent_s: float
    mask_s: float | None


class Player:
    """A camera and its viewer; a context manager around its own rclpy context.

    ``check`` is called while waiting and may raise, for example when the node's process ended.
    ``outputs``: what the viewer listens to; ``ask`` needs all of ``OUTPUTS``.
    """

    def __init__(
        self, domain_id: int, check: Callable[[], None], outputs: Sequence[str] = OUTPUTS,
    ) -> None:
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
        self._mask_s: dict[int, float] = {}  # stamp in ns -> when the mask came
        self._outputs = outputs
        for name in outputs:
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
            topics = [f'segmentation/{name}' for name in (*self._outputs, 'status')]
            return self._images.get_subscription_count() > 0 and all(
                self._node.count_publishers(topic) > 0 for topic in topics)
        if not self.wait_until(connected, timeout_s):
            raise PlayerError(f'the node did not listen to image within {timeout_s:.0f} s')

    def ask(
        self, rgb: np.ndarray, stamp_ns: int, frame_id: str, timeout_s: float, tries: int,
    ) -> Answer | None:
        """Send ``rgb`` (uint8 [H, W, 3]) and return the node's answer.

        It waits for the answer, so a slow machine drops nothing; the image is sent again where
        none came within ``timeout_s``.  None after ``tries`` sendings.  Raises PlayerError where
        the answer's frame_id or size is not the image's.
        """
        message = to_message(rgb, 'rgb8', Header(stamp=_stamp(stamp_ns), frame_id=frame_id))
        self._arrived, self._expected, self._mask_s = {}, message.header.stamp, {}
        for sending in range(1, tries + 1):
            sent_s = time.monotonic()
            self._images.publish(message)
            if self.wait_until(lambda: len(self._arrived) == len(OUTPUTS), timeout_s):
                return self._answer(message, self._mask_s[stamp_ns] - sent_s, sending)
        return None

    def stream(
        self, images: Iterable[np.ndarray], rate_hz: float, done: Callable[[], bool],
    ) -> list[Sent]:
        """Send ``images`` (uint8 [H, W, 3]) at ``rate_hz``, answered or not, until ``done()``.

        One that is late is sent at once, and the next one a period later.
        """
        self._mask_s = {}
        sent_s: dict[int, float] = {}
        first_ns, due_s = time.time_ns(), time.monotonic()
        for index, rgb in enumerate(images):
            stamp_ns = first_ns + round(1e9 * index / rate_hz)
            message = to_message(rgb, 'rgb8', Header(stamp=_stamp(stamp_ns), frame_id='camera'))
            self.wait_until(lambda: False, due_s - time.monotonic())
            if done():
                break
            sent_s[stamp_ns] = time.monotonic()
            self._images.publish(message)
            due_s = sent_s[stamp_ns] + 1 / rate_hz
        self.wait_until(lambda: len(self._mask_s) == len(sent_s), LAST_MASK_S)
        return [Sent(each_s, self._mask_s.get(stamp_ns)) for stamp_ns, each_s in sent_s.items()]

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Receive messages until ``done()`` holds; False where it does not in ``timeout_s``."""
        end_s = time.monotonic() + timeout_s
        while not done():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            self._check()
            self._executor.spin_once(timeout_sec=min(0.1, left_s))
        return True

    def _take(self, name: str, message: Image) -> None:
        if name == 'mask':
            self._mask_s.setdefault(nanoseconds(message.header.stamp), time.monotonic())
        # What comes late, for an image that was sent twice, has the stamp of an earlier image.
        if message.header.stamp == self._expected and name not in self._arrived:
            self._arrived[name] = message

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


def _stamp(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
