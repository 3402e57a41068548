"""ditta.launch.py as launch reads it, and with real nodes; skipped where launch is not."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / 'launch' / 'ditta.launch.py'
PATIENCE_S = 240.0

Describe = Callable[..., list[Any]]


def of_kind(kind: str, actions: list[Any]) -> list[Any]:
    return [action for action in actions if type(action).__name__ == kind]


def arguments_of(node: Any) -> list[str]:
    """Return the command line that launch_ros makes for ``node``, without the executable."""
    from launch import LaunchContext
    from launch.utilities import perform_substitutions
    context = LaunchContext()
    node._perform_substitutions(context)
    context.extend_locals({'ros_specific_arguments': {
        'name': f'__node:={node.node_name}',
        'ns': f'__ns:={node.expanded_node_namespace}'}})
    return [perform_substitutions(context, part) for part in node.cmd[1:]]


def remappings_of(node: Any) -> dict[str, str]:
    return dict(node.expanded_remapping_rules)


def test_the_defaults_are_one_node_and_the_profile(
    describe: Describe, prefix: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from launch import LaunchContext
    from launch.utilities import perform_substitutions
    context = LaunchContext()
    actions = describe(FILE)
    defaults = {
        argument.name: perform_substitutions(context, argument.default_value)
        for argument in of_kind('DeclareLaunchArgument', actions)}
    config = prefix / 'share' / 'ditta_ros' / 'config'
    assert defaults == {
        'image': 'image', 'depth': 'depth', 'params_file': str(config / 'ditta.yaml'),
        'namespace': '', 'cameras': '', 'autostart': '', 'use_sim_time': '', 'device': '',
        'log_level': 'info', 'rviz': 'false'}
    variable, = of_kind('SetEnvironmentVariable', actions)
    assert perform_substitutions(context, variable.name) == 'FASTDDS_DEFAULT_PROFILES_FILE'
    assert perform_substitutions(context, variable.value) == str(config / 'fastdds.xml')
    node, = of_kind('Node', actions)
    assert (node.node_package, node.node_executable) == ('ditta_ros', 'ditta_node')
    assert parameters_of(node) == {}
    assert remappings_of(node) == {
        'image': 'image', 'depth': 'depth', 'camera_info': 'camera_info'}

    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', '/mine.xml')
    assert of_kind('SetEnvironmentVariable', describe(FILE)) == []


def parameters_of(node: Any) -> dict[str, Any]:
    """Return the parameters given beside params_file; as launch_ros writes them for the node."""
    import yaml
    arguments = arguments_of(node)
    files = [
        Path(arguments[index + 1]) for index, argument in enumerate(arguments)
        if argument == '--params-file']
    overrides: dict[str, Any] = {}
    for file in files[1:]:
        for of_node in yaml.safe_load(file.read_text()).values():
            overrides |= of_node['ros__parameters']
    return overrides


def test_device_and_autostart_go_before_the_parameter_file_only_where_given(
    describe: Describe,
) -> None:
    node, = of_kind('Node', describe(FILE, device='cpu', autostart='false', use_sim_time='true'))
    assert parameters_of(node) == {
        'segmenter.device': 'cpu', 'autostart': False, 'use_sim_time': True}


def test_each_camera_has_a_node_in_its_namespace(describe: Describe, prefix: Path) -> None:
    (prefix / 'share/ament_index/resource_index/packages/rviz2').touch()
    nodes = of_kind('Node', describe(
        FILE, cameras='front, left', namespace='robot', image='rgb/image_raw', rviz='true'))
    for node in nodes:
        arguments_of(node)
    assert [(node.node_name, node.node_package) for node in nodes] == [
        ('/robot/front/ditta', 'ditta_ros'), ('/robot/front/rviz', 'rviz2'),
        ('/robot/left/ditta', 'ditta_ros'), ('/robot/left/rviz', 'rviz2')]
    # Relative, so that each is sought in the node's own namespace.
    assert [remappings_of(node) for node in nodes] == 4 * [
        {'image': 'rgb/image_raw', 'depth': 'depth', 'camera_info': 'rgb/camera_info'}]


@pytest.mark.parametrize(('arguments', 'line'), [
    ({'cameras': 'front,front'}, 'cameras must differ, got front twice'),
    ({'cameras': 'front,1st'}, "cameras must be names .* got '1st'"),
    ({'cameras': 'front', 'image': '/camera/image_raw'},
     'image must be relative .* image:=image_raw'),
    ({'params_file': '/nowhere.yaml'}, "params_file must be a yaml file, got '/nowhere.yaml'"),
])
def test_a_wrong_argument_is_refused_in_a_line(
    describe: Describe, arguments: dict[str, str], line: str,
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=line) as raised:
        describe(FILE, **arguments)
    assert '\n' not in str(raised.value)


def test_rviz_is_missed_before_anything_is_started(
    describe: Describe, prefix: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    with pytest.raises(FileNotFoundError, match='rviz:=true needs the package rviz2'):
        describe(FILE, rviz='true')


def test_launch_starts_a_node_for_each_camera_that_listens_to_it_alone(
    launch: Callable[..., subprocess.Popen], domain_id: int, tmp_path: Path,
) -> None:
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    process = launch(FILE, 'cameras:=front,left', 'image:=image_raw', 'device:=cpu')
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    observer = rclpy.create_node('observer', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(observer)

    def listeners(camera: str) -> set[str]:
        return {
            f'{info.node_namespace}/{info.node_name}'
            for info in observer.get_subscriptions_info_by_topic(f'/{camera}/image_raw')}

    try:
        end_s = time.monotonic() + PATIENCE_S
        while not (listeners('front') and listeners('left')):
            assert process.poll() is None and time.monotonic() < end_s, (
                tmp_path / 'log.txt').read_text()
            executor.spin_once(timeout_sec=0.2)
        assert listeners('front') == {'/front/ditta'}
        assert listeners('left') == {'/left/ditta'}
        assert observer.count_publishers('/front/segmentation/mask') == 1
        assert observer.count_publishers('/left/segmentation/mask') == 1
        assert observer.count_publishers('/segmentation/mask') == 0
    finally:
        executor.shutdown()
        observer.destroy_node()
        context.try_shutdown()


def test_launch_ends_with_the_error_of_a_wrong_argument(
    launch: Callable[..., subprocess.Popen], tmp_path: Path,
) -> None:
    assert launch(FILE, 'cameras:=front,front').wait(PATIENCE_S) != os.EX_OK
    assert 'cameras must differ, got front twice' in (tmp_path / 'log.txt').read_text()
