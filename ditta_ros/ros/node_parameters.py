"""The node's own parameters: those that mean nothing to the engine; and names that none has.

Imports no rclpy, so that ``config/ditta.yaml`` is written, and parameter files are looked at,
without a ROS installation.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from ditta_ros import settings
from ditta_ros.settings import Parameter, Rule

# Declared by rclpy itself, not by us.
_RCLPY_PREFIXES = ('use_sim_time', 'qos_overrides.', 'start_type_description_service')

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


def unknown(given: Iterable[str]) -> list[str]:
    """Return a warning for each of the names that are ``given`` to a node and nobody reads."""
    warnings = []
    known = [parameter.name for parameter in all_parameters()]
    for name in given:
        if name in known or name.startswith(_RCLPY_PREFIXES):
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = f'did you mean {near[0]}?' if near else 'see config/ditta.yaml'
        warnings.append(f'no parameter is called {name!r}, it is ignored: {hint}')
    return warnings
