"""Plays a rosbag2 to ditta_node as a camera would, and records the masks.

    ros2 launch ditta_ros replay.launch.py bag:=drive rate:=0.5

In order: the node loads its models, and the recorder starts; once both listen, the bag is played;
after the last mask everything ends.  As on the robot, images that come while the node is busy
are dropped: a lower rate drops fewer.  ``--show-args`` explains every argument.
"""

import sys
from datetime import datetime
from pathlib import Path

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited

from ditta_ros.ros.cameras import camera_info_beside
from ditta_ros.ros.launch_parts import (
    TRUE_FALSE,
    ditta_node,
    fastdds_profile,
    rviz,
    shared_arguments,
)
from ditta_ros.ros.replay import (
    play_command,
    positive_rate,
    read_recording,
    record_command,
    warm_up_parameters,
)

# Before launch insists: the recorder writes what it holds, the node finishes a unit of work.
PATIENCE_S = '30'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments, and the replay that follows from them."""
    return LaunchDescription([
        *_arguments(), *shared_arguments(), *fastdds_profile(), OpaqueFunction(function=_replay)])


def _arguments() -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument('bag', description='folder of the rosbag2 to play'),
        DeclareLaunchArgument(
            'topic', default_value='',
            description='topic of its camera images, Image or CompressedImage; empty: the only '
                        'one'),
        DeclareLaunchArgument(
            'rate', default_value='1.0', description="times the recording's speed"),
        DeclareLaunchArgument(
            'loop', default_value='false', choices=TRUE_FALSE,
            description='play again and again, until Ctrl-C'),
        DeclareLaunchArgument(
            'warm_up_percent', default_value='10',
            description="length of the warm-up, in percent of the bag's images in one pass"),
        DeclareLaunchArgument(
            'record', default_value='true', choices=TRUE_FALSE,
            description='record mask, confidence, label_info and status'),
        DeclareLaunchArgument(
            'record_images', default_value='false', choices=TRUE_FALSE,
            description='record the camera images with them, for viewing them together'),
        DeclareLaunchArgument(
            'output', default_value='',
            description='folder of the MCAP bag that is recorded; empty: here, named after the '
                        'bag and the time'),
    ]


def _replay(context: LaunchContext) -> list[Action]:
    given = context.launch_configurations
    recording = read_recording(Path(given['bag']).expanduser(), given['topic'])
    play = play_command(recording, positive_rate(given['rate']), given['loop'] == 'true')
    remappings = {
        'image': recording.image, 'camera_info': camera_info_beside(recording.image),
        'depth': given['depth']}
    node = ditta_node(
        given, '', remappings, {
            **warm_up_parameters(given['warm_up_percent'], recording),
            'image_transport': 'compressed' if recording.compressed else 'raw',
            'autostart': True, 'use_sim_time': True},
        on_exit=_end('the node has ended'), sigterm_timeout=PATIENCE_S)
    recorded = given['record'] == 'true'
    actions: list[Action] = [node]
    if recorded:
        output = _output(given['output'], recording.bag)
        actions.append(ExecuteProcess(
            cmd=record_command(output, recording, given['record_images'] == 'true'),
            name='record', output='screen', on_exit=_end('the recorder has ended'),
            sigterm_timeout=PATIENCE_S))
    if given['rviz'] == 'true':
        actions.append(rviz('', remappings, use_sim_time=True))
    return actions + _in_order(
        _cue('begin', recording.heard, *(['--recorded'] if recorded else [])),
        ExecuteProcess(cmd=play, name='play', output='screen'),
        _cue('end'))


def _output(output: str, bag: Path) -> Path:
    if output:
        return Path(output).expanduser()
    now = datetime.now().astimezone()
    return Path(f'{bag.resolve().name}_segmentation_{now:%Y_%m_%d-%H_%M_%S}')


def _cue(*arguments: str) -> ExecuteProcess:
    return ExecuteProcess(
        cmd=[sys.executable, '-m', 'ditta_ros.ros.replay_cues', *arguments],
        name=f'await_{arguments[0]}', output='screen')


def _end(reason: str) -> EmitEvent:
    return EmitEvent(event=Shutdown(reason=reason))


def _in_order(*steps: ExecuteProcess) -> list[Action]:
    """Return the first of ``steps``, and handlers that start each next one when one has ended.

    The replay ends with the last of them, or with the first that fails.
    """
    actions: list[Action] = []
    for step, following in zip(steps, [*steps[1:], _end('the replay is over')], strict=True):
        def on_exit(event: ProcessExited, _: LaunchContext, then: Action = following) -> Action:
            return then if event.returncode == 0 else _end(f'{event.process_name} has failed')
        actions.append(RegisterEventHandler(OnProcessExit(target_action=step, on_exit=on_exit)))
    return [*actions, steps[0]]
