"""The environment in which processes exchange camera images over Fast DDS.

Stock settings lose most large best-effort images; see ``config/fastdds.xml``.  Imports no rclpy:
the middleware reads the environment when rclpy starts, so it is set for child processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ditta_ros.config_files import config_file

FASTDDS_2, FASTDDS_3 = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'
_FASTDDS_2_DISTROS = ('humble', 'iron', 'jazzy')


def profile_path() -> Path:
    """Return where ``config/fastdds.xml`` lies; raises FileNotFoundError."""
    return config_file('fastdds.xml')


def profile_environment(profile: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that makes Fast DDS read ``profile``; nothing where the user set one.

    Fast DDS 3 warns about the name that Fast DDS 2 reads, so only one of the two is set.
    """
    if FASTDDS_2 in environ or FASTDDS_3 in environ:
        return {}
    old = environ.get('ROS_DISTRO') in _FASTDDS_2_DISTROS
    return {FASTDDS_2 if old else FASTDDS_3: str(profile)}


def process_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``environ`` (default: this process's) made fit to start a ROS process in.

    The profile is added, and a mark that ROS wheels leave is removed: with it a Python of
    another virtual environment would not find its ROS libraries.
    """
    environ = os.environ if environ is None else environ
    child = {**environ, **profile_environment(profile_path(), environ)}
    child.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None)
    return child
