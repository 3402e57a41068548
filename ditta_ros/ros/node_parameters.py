"""The node's own parameters: those that mean nothing to the engine.

Imports no rclpy, so that ``config/ditta.yaml`` is written without a ROS installation.
"""

from __future__ import annotations

from collections.abc import Iterator

from ditta_ros import settings
from ditta_ros.settings import Parameter, Rule

NODE_PARAMETERS = (
    Parameter('autostart', True, Rule(
        'configure and activate at start; false: wait for the lifecycle services')),
    Parameter('image_transport', 'raw', Rule(
        'raw: sensor_msgs/Image on image; compressed: CompressedImage on image/compressed',
        choices=('raw', 'compressed'))),
    Parameter('groups', '', Rule(
        'yaml file that merges classes for everything published, as config/groups_*.yaml; empty: '
        "the model's own classes")),
    Parameter('status_rate_hz', 2.0, Rule(
        'segmentation/status is published this often at most, and only where it changed', 'Hz',
        low=0.1, high=100.0, live=True)),
)


def all_parameters() -> Iterator[Parameter]:
    """Yield every parameter of the node: its own, then those of the settings tree."""
    yield from NODE_PARAMETERS
    yield from settings.parameters()
