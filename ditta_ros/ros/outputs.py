"""What the node publishes, and the messages made of a segmentation."""

from __future__ import annotations

import json
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from ditta_ros.frame import Frame
from ditta_ros.labels import UNLABELLED, LabelSet
from ditta_ros.ros import messages, qos
from ditta_ros.session import Segmentation


class Outputs:
    """The publishers of ``node``; images go out while the node is active, the status always."""

    def __init__(self, node: LifecycleNode) -> None:
        def image_publisher(name: str) -> Any:
            return node.create_lifecycle_publisher(
                Image, f'segmentation/{name}', qos.copy(qos.IMAGE_OUT),
                qos_overriding_options=QoSOverridingOptions.with_default_policies())

        self._mask = image_publisher('mask')
        self._confidence = image_publisher('confidence')
        self._overlay = image_publisher('overlay')
        self._status = node.create_publisher(String, 'segmentation/status', qos.LATCHED)

    def publish(
        self, header: Header, frame: Frame, segmentation: Segmentation, label_set: LabelSet,
        overlay_alpha: float,
    ) -> None:
        """Publish mask and confidence, and the overlay where somebody listens."""
        label = segmentation.label
        confidence = (segmentation.reliability * 255).round().byte()  # [H, W]
        self._mask.publish(messages.to_message(label.cpu().numpy(), 'mono8', header))
        self._confidence.publish(messages.to_message(confidence.cpu().numpy(), 'mono8', header))
        if self._overlay.get_subscription_count() > 0:
            blend = messages.overlay(
                frame.rgb.cpu().numpy(), label_set.colorize(label).cpu().numpy(),
                (label != UNLABELLED).cpu().numpy(), overlay_alpha)
            self._overlay.publish(messages.to_message(blend, 'rgb8', header))

    def publish_status(self, status: dict[str, Any]) -> None:
        """Publish ``status`` as JSON; who subscribes later gets the last one."""
        self._status.publish(String(data=json.dumps(status)))
