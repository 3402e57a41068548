"""The labelled point cloud, made of segmentation and depth while somebody listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header
from torch import Tensor

from ditta_ros.cloud import labelled_cloud
from ditta_ros.frame import Frame
from ditta_ros.ros import qos
from ditta_ros.ros.depth import REPEAT_S, DepthCamera

try:
    from sensor_msgs_py import point_cloud2
except ImportError:  # not in every installation
    point_cloud2 = None

TOPIC = 'segmentation/points'
POLL_S = 1.0  # how soon a listener is noticed
WAITING = 3  # labelled images that wait for a depth image which comes later
NORMAL = 10  # images without points in a row: a slow depth camera, not worth a word
FIELD_KINDS = {'float32': PointField.FLOAT32, 'uint8': PointField.UINT8,
               'uint16': PointField.UINT16}


class Labelled(NamedTuple):
    """An image with its labels, as they are published."""

    header: Header
    frame: Frame
    mask: np.ndarray  # uint8 or uint16 [H, W]
    reliability: Tensor  # float32 [H, W], 0..1, on the device


class Points:
    """Publishes ``segmentation/points``; without sensor_msgs_py says so once, and nothing else.

    Subscribes to ``depth`` and ``camera_info`` while somebody listens.  ``publish`` is called on
    the worker's thread, all else on the node's.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._depth = DepthCamera(node)
        self._waiting: deque[Labelled] = deque()
        self._published = self._dropped = self._dropped_in_a_row = 0
        self._publisher: Any = None
        if point_cloud2 is None:
            node.get_logger().info(f'no {TOPIC}: sensor_msgs_py is not installed')
            return
        self._publisher = node.create_lifecycle_publisher(
            PointCloud2, TOPIC, qos.copy(qos.IMAGE_OUT),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        # Steady: it must tick while simulated time stands still.
        node.create_timer(POLL_S, self._poll, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def wanted(self) -> bool:
        """Whether somebody listens to the points of an active node."""
        return self._publisher is not None and self._publisher.is_activated and (
            self._publisher.get_subscription_count() > 0)

    def publish(self, labelled: Labelled) -> None:
        """Publish the points of an image, and of those before that waited for their depth."""
        if not self.wanted:
            self._waiting.clear()
            return
        # In a deque of its own: _poll, on another thread, may empty the one before.
        waiting = deque(each for each in [*self._waiting, labelled] if not self._publish(each))
        if len(waiting) > WAITING and not self._publish(waiting.popleft(), final=True):
            self._drop(self._depth.missing())
        self._waiting = waiting

    def status(self) -> dict[str, int]:
        """Return the counts of clouds, of images that got none, and of depth that was no good."""
        return {'published': self._published, 'dropped': self._dropped,
                'bad_messages': self._depth.bad_messages}

    def _poll(self) -> None:
        if self.wanted:
            self._depth.subscribe()
        else:
            self._depth.unsubscribe()
            self._waiting = deque()  # for an inactive node, that no worker does it for

    def _publish(self, labelled: Labelled, final: bool = False) -> bool:
        """Deal with one image; False where its depth is not there, or may come if not final."""
        found = self._depth.at(labelled.frame.stamp_ns, final)
        if found is None:
            return False
        depth, camera = found
        if depth.frame_id != labelled.header.frame_id:
            self._drop(
                f"depth must be in the camera's frame {labelled.header.frame_id!r}, got "
                f'{depth.frame_id!r}: register it to the camera')
            return True
        points = labelled_cloud(
            depth.metres(), camera, labelled.frame.rgb.cpu().numpy(), labelled.mask,
            labelled.reliability.cpu().numpy())
        self._publisher.publish(to_cloud(points, labelled.header))
        self._published += 1
        self._dropped_in_a_row = 0
        return True

    def _drop(self, why: str) -> None:
        self._dropped += 1
        self._dropped_in_a_row += 1
        if self._dropped_in_a_row >= NORMAL:
            self._node.get_logger().warning(
                f'no {TOPIC}: {why}', throttle_duration_sec=REPEAT_S)


def fields(dtype: np.dtype) -> list[PointField]:
    """Return the description of points with this structured dtype."""
    described: Mapping[str, Any] = dtype.fields or {}  # name: dtype and offset
    return [
        PointField(name=name, offset=offset, datatype=FIELD_KINDS[kind.name], count=1)
        for name, (kind, offset) in described.items()]


def to_cloud(points: np.ndarray, header: Header) -> PointCloud2:
    """Make an organised cloud of structured ``points`` [H, W]; ``header`` is copied as it is.

    Not dense: a point without depth is NaN.
    """
    # Given [H, W], create_cloud takes H for the width: so it gets a row, and is told afterwards.
    cloud = point_cloud2.create_cloud(header, fields(points.dtype), points.reshape(-1))
    cloud.height, cloud.width = points.shape
    cloud.row_step = cloud.width * cloud.point_step
    return cloud
