"""ditta_node on one camera: ``ros2 launch ditta_ros ditta.launch.py image:=/camera/image_raw``."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_path
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from ditta_ros.ros.dds import profile_environment


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, and the node that reads them."""
    config = get_package_share_path('ditta_ros') / 'config'
    return LaunchDescription([
        *_arguments(config),
        # For cameras of the same launch too: what counts is that the sender of large images reads
        # the profile.  A profile that the user has set is left alone.
        *(SetEnvironmentVariable(name, value)
          for name, value in profile_environment(config / 'fastdds.xml', os.environ).items()),
        Node(
            package='ditta_ros',
            executable='ditta_node',
            name='ditta',
            namespace=LaunchConfiguration('namespace'),
            parameters=[
                LaunchConfiguration('params_file'),
                {'use_sim_time': ParameterValue(
                    LaunchConfiguration('use_sim_time'), value_type=bool)},
            ],
            remappings=[('image', LaunchConfiguration('image'))],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')],
            output='screen',
            emulate_tty=True,
        ),
    ])


def _arguments(config: Path) -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument(
            'image', default_value='image',
            description='topic of the camera images; with image_transport compressed, of those '
                        'without the /compressed'),
        DeclareLaunchArgument(
            'params_file', default_value=str(config / 'ditta.yaml'),
            description='parameters; the default lists every one'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false', choices=['true', 'false'],
            description='follow /clock, as with a bag that is played'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='least severe messages that are logged'),
    ]
