"""The cameras that a launch file is given: their names, and the topics of each.

Imports no library: it is read by launch files, which run in the Python of the ROS installation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# A part of a ROS name, as https://design.ros2.org/articles/topic_and_service_names.html has it.
_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')


class CameraError(ValueError):
    """A launch argument about cameras breaks its rule; the message names argument and remedy."""


def camera_names(cameras: str) -> list[str]:
    """Return the names in ``cameras``, separated by commas; none where it is blank.

    Raises CameraError for what cannot be a namespace, and for a name that comes twice.
    """
    if not cameras.strip():
        return []
    names = [name.strip() for name in cameras.split(',')]
    for name in names:
        if not _NAME.fullmatch(name):
            raise CameraError(
                f'cameras must be names of letters, digits and _, not begun by a digit, with '
                f'commas between, got {name!r}: write for example cameras:=front,left,right')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CameraError(
            f'cameras must differ, got {", ".join(twice)} twice: each gives its namespace to one '
            'node')
    return names


def check_relative(topics: Mapping[str, str]) -> None:
    """Refuse topics, by launch argument, that would be the same one for every camera.

    Raises CameraError.
    """
    for argument, topic in topics.items():
        if topic.startswith('/'):
            raise CameraError(
                f'{argument} must be relative where cameras are given, as it is sought in the '
                f"namespace of each, got {topic!r}: give what comes after the camera's name, "
                f'{argument}:={topic.rpartition("/")[2] or argument}')


def join(namespace: str, camera: str) -> str:
    """Return the namespace of ``camera`` within ``namespace``."""
    return f'{namespace.rstrip("/")}/{camera}' if namespace else camera


def camera_info_beside(image: str) -> str:
    """Return the topic of the CameraInfo that belongs to ``image``, as image_transport names it.

    Drivers publish both in one namespace: /camera/image_raw and /camera/camera_info.
    """
    folder, slash, _ = image.rpartition('/')
    return f'{folder}{slash}camera_info'
