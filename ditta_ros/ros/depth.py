"""The depth camera beside the camera: its images in metres, by stamp, and its intrinsics."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from ditta_ros.cloud import Pinhole
from ditta_ros.ros import qos
from ditta_ros.ros.messages import MessageError
from ditta_ros.stamps import nanoseconds

TOLERANCE_NS = 50_000_000  # between the stamps of an image and of its depth
KEPT = 30  # depth images, for as long as their image waits for its labels
TEXT_LENGTH = 40  # of an encoding that an error repeats: it may be garbage
REPEAT_S = 5.0  # the same complaint is logged this often at most
ENCODINGS = {'16UC1': 'u2', '32FC1': 'f4'}


@dataclass(frozen=True, eq=False)
class Depth:
    """A depth image as it came: uint16 [H, W] in mm, or float32 [H, W] in m, of any byte order."""

    stamp_ns: int
    frame_id: str
    raw: np.ndarray

    def metres(self) -> np.ndarray:
        """Return float32 [H, W] along the optical axis; 0, NaN or infinite where unknown."""
        depth = self.raw.astype(np.float32)
        return depth * np.float32(0.001) if self.raw.dtype.kind == 'u' else depth


class DepthCamera:
    """What came lately on ``depth`` and ``camera_info``, subscribed to while wanted.

    The depth is registered to the camera: the same view, in whatever size.  Messages that
    contradict themselves are counted in ``bad_messages`` and logged.  ``subscribe`` and
    ``unsubscribe`` are called on the node's thread, ``at`` on any.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self.bad_messages = 0
        self._node = node
        self._lock = threading.Lock()
        self._kept: deque[Depth] = deque(maxlen=KEPT)
        self._camera: Pinhole | None = None
        self._subscriptions: list[Subscription[Any]] = []

    def subscribe(self) -> None:
        """Listen, if it does not already."""
        if self._subscriptions:
            return
        for kind, name, take in (
                (Image, 'depth', self._take_depth), (CameraInfo, 'camera_info', self._take_info)):
            topic, profile = self._node.resolve_topic_name(name), qos.copy(qos.IMAGE_IN)
            self._subscriptions.append(self._node.create_subscription(
                kind, topic, take, profile,
                event_callbacks=qos.naming_incompatible(self._node, topic, profile),
                qos_overriding_options=QoSOverridingOptions.with_default_policies()))

    def unsubscribe(self) -> None:
        """Stop listening, and forget what came."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        with self._lock:
            self._subscriptions, self._camera = [], None
            self._kept.clear()

    def at(self, stamp_ns: int, final: bool) -> tuple[Depth, Pinhole] | None:
        """Return the depth of an image with this stamp, and the intrinsics; None: not there.

        It is the depth image of the same stamp, else the nearest within TOLERANCE_NS.  Unless it
        is the ``final`` question, a nearer one may come until depth has reached the stamp.
        """
        with self._lock:
            if self._camera is None or not self._kept:
                return None
            nearest = min(self._kept, key=lambda depth: abs(depth.stamp_ns - stamp_ns))
            may_come_nearer = self._kept[-1].stamp_ns < stamp_ns and not final
            if may_come_nearer or abs(nearest.stamp_ns - stamp_ns) > TOLERANCE_NS:
                return None
            return nearest, self._camera

    def missing(self) -> str:
        """Say what there is not, after ``at`` has returned None for good."""
        with self._lock:
            if self._camera is None:
                topic = self._node.resolve_topic_name('camera_info')
                return f'{topic} must give the intrinsics, nothing came: check its publisher'
        topic = self._node.resolve_topic_name('depth')
        return (f'{topic} must have an image within {TOLERANCE_NS // 10**6} ms of every camera '
                'image, got none: check that it is published and stamped as the camera is')

    def _take_depth(self, message: Image) -> None:
        try:
            depth = to_depth(message)
        except MessageError as error:
            self._count_bad('depth', error)
            return
        with self._lock:
            if self._kept and depth.stamp_ns < self._kept[-1].stamp_ns:
                self._kept.clear()  # the stream began again
            self._kept.append(depth)

    def _take_info(self, message: CameraInfo) -> None:
        try:
            camera = to_pinhole(message)
        except MessageError as error:
            self._count_bad('camera_info', error)
            return
        with self._lock:
            self._camera = camera

    def _count_bad(self, topic: str, error: MessageError) -> None:
        self.bad_messages += 1
        self._node.get_logger().warning(
            f'{self._node.resolve_topic_name(topic)} dropped: {error}',
            throttle_duration_sec=REPEAT_S)


def to_depth(message: Image) -> Depth:
    """View the message's data as depth; raises MessageError where the message is none."""
    if message.encoding not in ENCODINGS:
        raise MessageError(
            f'depth must be 16UC1 (mm) or 32FC1 (m), got '
            f'{message.encoding[:TEXT_LENGTH]!r}: convert it')
    kind = np.dtype(ENCODINGS[message.encoding]).newbyteorder('>' if message.is_bigendian else '<')
    height, width = message.height, message.width
    row_bytes = width * kind.itemsize
    if not height or not width or message.step < row_bytes or (
            len(message.data) != height * message.step):
        raise MessageError(
            f'{message.encoding} of {width} x {height} pixels must have step >= {row_bytes} and '
            f'height * step bytes, got step {message.step} and {len(message.data)} bytes: check '
            'the depth camera')
    raw: np.ndarray = np.ndarray(
        (height, width), kind, buffer=message.data, strides=(message.step, kind.itemsize))
    return Depth(nanoseconds(message.header.stamp), message.header.frame_id, raw)


def to_pinhole(message: CameraInfo) -> Pinhole:
    """Return the camera's intrinsics: P, as for rectified images, or K where P is empty.

    Raises MessageError where they are none.
    """
    fx, _, cx, _, _, fy, cy, *_ = (float(value) for value in message.p)
    if fx == 0:
        fx, _, cx, _, fy, cy, *_ = (float(value) for value in message.k)
    # They are those of the whole sensor; what arrives may be a part of it.
    part = message.roi
    height, width = (part.height, part.width) if part.width else (message.height, message.width)
    if not (height and width and fx > 0 and fy > 0 and np.isfinite([fx, fy, cx, cy]).all()):
        raise MessageError(
            f'camera_info must have a size and focal lengths above 0, got {width} x {height} '
            f'pixels with fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g}: calibrate the camera')
    return Pinhole((height, width), fx, fy, cx - part.x_offset, cy - part.y_offset)
