"""ditta_node on one camera, or one node on each of several.

    ros2 launch ditta_ros ditta.launch.py image:=/camera/image_raw
    ros2 launch ditta_ros ditta.launch.py cameras:=front,left image:=image_raw

The second labels /front/image_raw and /left/image_raw, into /front/segmentation/mask and
/left/segmentation/mask.  ``--show-args`` explains every argument.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node

from ditta_ros.ros.cameras import camera_info_beside, camera_names, check_relative, join
from ditta_ros.ros.launch_parts import (
    TRUE_FALSE,
    ditta_node,
    fastdds_profile,
    rviz,
    shared_arguments,
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, and the nodes that follow from them."""
    return LaunchDescription([
        *_arguments(), *shared_arguments(), *fastdds_profile(), OpaqueFunction(function=_nodes)])


def _arguments() -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument(
            'image', default_value='image',
            description='topic of the camera images, with image_transport compressed without '
                        'the /compressed; with cameras, relative to the namespace of each'),
        DeclareLaunchArgument(
            'namespace', default_value='', description='namespace of the node and its topics'),
        DeclareLaunchArgument(
            'cameras', default_value='',
            description='names with commas between: one node for each, in a namespace of that '
                        'name within namespace; empty: one node, in namespace'),
        DeclareLaunchArgument(
            'autostart', default_value='', choices=['', *TRUE_FALSE],
            description='whether the nodes configure and activate themselves; empty: as '
                        'params_file says'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='', choices=['', *TRUE_FALSE],
            description='follow /clock, as with a bag that is played; empty: as params_file says'),
    ]


def _nodes(context: LaunchContext) -> list[Node]:
    given = context.launch_configurations
    topics = {'image': given['image'], 'depth': given['depth']}
    cameras = camera_names(given['cameras'])
    if cameras:
        check_relative(topics)
    switches = {'use_sim_time': given['use_sim_time'], 'autostart': given['autostart']}
    overrides = {name: value == 'true' for name, value in switches.items() if value}
    remappings = {**topics, 'camera_info': camera_info_beside(topics['image'])}
    nodes = []
    for namespace in [join(given['namespace'], name) for name in cameras] or [given['namespace']]:
        nodes.append(ditta_node(given, namespace, remappings, overrides))
        if given['rviz'] == 'true':
            nodes.append(rviz(namespace, remappings, overrides.get('use_sim_time', False)))
    return nodes
