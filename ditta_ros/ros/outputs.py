"""What the node publishes, and the messages made of a segmentation."""

from __future__ import annotations

import json
import logging
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from torch import Tensor

from ditta_ros.frame import Frame
from ditta_ros.groups import Groups
from ditta_ros.labels import LabelSet
from ditta_ros.ros import maps, messages, qos
from ditta_ros.ros.calls import FAULTS
from ditta_ros.ros.complaints import Complaints
from ditta_ros.ros.label_info import LabelInfo
from ditta_ros.ros.points import Labelled, Points
from ditta_ros.session import Segmentation
from ditta_ros.transfer import download


class Outputs:
    """The publishers of ``node``; images and points go out while it is active, all else always.

    ``publish`` is called on the worker's thread.
    """

    def __init__(self, node: LifecycleNode) -> None:
        def image_publisher(name: str) -> Any:
            return node.create_lifecycle_publisher(
                Image, f'segmentation/{name}', qos.copy(qos.IMAGE_OUT),
                qos_overriding_options=QoSOverridingOptions.with_default_policies())

        self._complaints = Complaints(logging.getLogger(__name__))
        self._mask = image_publisher('mask')
        self._confidence = image_publisher('confidence')
        self._color = image_publisher('color')
        self._overlay = image_publisher('overlay')
        self._points = Points(node)
        self._label_info = LabelInfo(node)
        self._status = node.create_publisher(String, 'segmentation/status', qos.LATCHED)

    def publish(
        self, header: Header, frame: Frame, segmentation: Segmentation, groups: Groups,
        overlay_alpha: float,
    ) -> None:
        """Publish mask and confidence, and color, overlay and points where somebody listens.

        What goes wrong with the latter is logged: the frame is labelled all the same.
        """
        label, reliability = groups.apply(segmentation.label), segmentation.reliability
        pixels = maps.mask_and_confidence(label, reliability)
        mask = next(pixels)
        self._mask.publish(messages.to_message(  # first: somebody waits for it
            mask, 'mono8' if mask.itemsize == 1 else 'mono16', header))
        self._confidence.publish(messages.to_message(
            next(pixels), 'mono8', header))
        try:
            self._publish_views(header, frame, label, groups.label_set, overlay_alpha)
            self._points.publish(Labelled(header, frame, mask, reliability))
        except FAULTS as error:
            self._complaints.say(
                f'color, overlay or points of a frame failed: {type(error).__name__}: {error}',
                error)

    def _publish_views(
        self, header: Header, frame: Frame, label: Tensor, label_set: LabelSet,
        overlay_alpha: float,
    ) -> None:
        wanted = [publisher for publisher in (self._color, self._overlay)
                  if publisher.get_subscription_count() > 0]
        if not wanted:
            return
        colours = label_set.colorize(label)
        views = [
            colours if publisher is self._color else maps.overlay(
                frame.rgb, colours, label != label_set.unlabelled, overlay_alpha)
            for publisher in wanted]
        for publisher, pixels in zip(wanted, download(*views), strict=True):
            publisher.publish(messages.to_message(pixels, 'rgb8', header))

    def publish_label_info(self, label_set: LabelSet) -> None:
        """Publish the names of the labels; who subscribes later gets them too."""
        self._label_info.publish(label_set)

    def publish_status(self, status: dict[str, Any]) -> None:
        """Publish ``status`` and the counts of points as JSON; latched."""
        told = status | {'points': self._points.status()}
        self._status.publish(String(data=json.dumps(told)))
