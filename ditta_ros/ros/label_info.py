"""The names of the labels in the mask, for who reads them by number."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode

from ditta_ros.labels import LabelSet
from ditta_ros.ros import qos

try:
    from vision_msgs.msg import LabelInfo as LabelInfoMessage
    from vision_msgs.msg import VisionClass
except ImportError:  # not in every installation
    LabelInfoMessage = VisionClass = None

TOPIC = 'segmentation/label_info'


class LabelInfo:
    """Publishes ``segmentation/label_info``, latched; without vision_msgs says so once."""

    def __init__(self, node: LifecycleNode) -> None:
        self._clock = node.get_clock()
        self._publisher: Any = None
        if LabelInfoMessage is None:
            node.get_logger().info(f'no {TOPIC}: vision_msgs is not installed')
            return
        # Not a lifecycle publisher: the names are known before the node is active.
        self._publisher = node.create_publisher(LabelInfoMessage, TOPIC, qos.LATCHED)

    def publish(self, label_set: LabelSet) -> None:
        """Publish the names; who subscribes later gets the last ones.

        Unlabelled, 255 or 65535, has no entry: it is what the message says these numbers mean.
        """
        if self._publisher is None:
            return
        message = LabelInfoMessage(threshold=0.0, class_map=[
            VisionClass(class_id=number, class_name=name)
            for number, name in enumerate(label_set.names)])
        message.header.stamp = self._clock.now().to_msg()
        self._publisher.publish(message)
