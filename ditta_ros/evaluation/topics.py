"""Names and types of the topics in the bags that are read and written.

Imports no library: launch files, which run in the Python of the ROS installation, read it too.
"""

from __future__ import annotations

from collections.abc import Iterable

TRUTH_TOPIC = '/camera/label'
RESULT_PREFIX = '/segmentation/'
IMAGE_TYPE = 'sensor_msgs/msg/Image'
COMPRESSED_TYPE = 'sensor_msgs/msg/CompressedImage'


def is_result(topic: str) -> bool:
    """Whether a node, in whatever namespace, would publish ``topic`` itself."""
    return RESULT_PREFIX in topic


def camera_topics(topics: Iterable[str]) -> list[str]:
    """Return those of a bag's image topics that are neither truth nor results."""
    return [topic for topic in topics if topic != TRUTH_TOPIC and not is_result(topic)]
