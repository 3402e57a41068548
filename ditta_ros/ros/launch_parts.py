"""What the launch files share: the profile for Fast DDS, the node, RViz.

For launch files only: launch is part of a ROS installation and of no other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_path,
)
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch_ros.actions import Node

from ditta_ros.ros.dds import profile_environment

TRUE_FALSE = ['true', 'false']


def config(name: str) -> Path:
    """Return where the file ``name`` of config/ is installed."""
    return get_package_share_path('ditta_ros') / 'config' / name


def shared_arguments() -> list[DeclareLaunchArgument]:
    """Declare the arguments that every launch file takes."""
    return [
        DeclareLaunchArgument(
            'depth', default_value='depth',
            description='topic of the depth images for segmentation/points; their CameraInfo is '
                        'the one beside the camera images'),
        DeclareLaunchArgument(
            'params_file', default_value=str(config('ditta.yaml')),
            description='parameters; the default lists every one'),
        DeclareLaunchArgument(
            'device', default_value='',
            description='where the networks run, in place of segmenter.device; empty: as '
                        'params_file says'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='least severe messages that are logged'),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=TRUE_FALSE,
            description='open RViz on the camera, its labels and points, once for each node'),
    ]


def fastdds_profile() -> list[SetEnvironmentVariable]:
    """Return the action by which Fast DDS reads config/fastdds.xml; none where the user set one.

    It counts for cameras of the same launch too: the sender of large images must read it.
    """
    return [
        SetEnvironmentVariable(name, value)
        for name, value in profile_environment(config('fastdds.xml'), os.environ).items()]


def ditta_node(
    given: Mapping[str, str], namespace: str, remappings: Mapping[str, str],
    overrides: Mapping[str, Any], **options: Any,
) -> Node:
    """Return the node in ``namespace``.

    ``given``: the values of ``shared_arguments``; ``overrides``: parameters in place of those in
    params_file; ``options``: further ones of launch_ros's Node.  Raises FileNotFoundError for
    a params_file that is not there.
    """
    params_file = given['params_file']
    # launch_ros only warns, and the node would run with its defaults.
    if not Path(params_file).is_file():
        raise FileNotFoundError(
            f'params_file must be a yaml file, got {params_file!r}, which is not there: give its '
            f'path; {config("ditta.yaml")} is one to copy')
    device = {'segmenter.device': given['device']} if given['device'] else {}
    own = {**device, **overrides}
    # Not launch_ros's LifecycleNode: that leaves the transitions to the launch file, while this
    # node takes them itself (parameter autostart), started by whatever means.
    return Node(
        package='ditta_ros', executable='ditta_node', name='ditta', namespace=namespace,
        parameters=[params_file, own] if own else [params_file],
        remappings=list(remappings.items()),
        ros_arguments=['--log-level', given['log_level']], output='screen', emulate_tty=True,
        **options)


def rviz(namespace: str, remappings: Mapping[str, str], use_sim_time: bool) -> Node:
    """Return RViz on the topics of the node in ``namespace``.

    The topics in config/ditta.rviz are relative, as the node's: namespace and remappings of the
    node make them those of its camera.  Raises FileNotFoundError where RViz is not installed.
    """
    # launch_ros would find out when the nodes run already, and leave them running.
    try:
        get_package_prefix('rviz2')
    except PackageNotFoundError:
        raise FileNotFoundError(
            'rviz:=true needs the package rviz2, which is not installed: install it, or leave '
            'rviz:=true out') from None
    return Node(
        package='rviz2', executable='rviz2', name='rviz', namespace=namespace,
        arguments=['-d', str(config('ditta.rviz'))], remappings=list(remappings.items()),
        parameters=[{'use_sim_time': use_sim_time}], output='screen')
