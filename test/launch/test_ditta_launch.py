from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / 'launch' / 'ditta.launch.py'
ARGUMENTS = ['image', 'params_file', 'namespace', 'use_sim_time', 'log_level']


def names_given_to(function: str) -> list[str]:
    """Return the first argument of each call of ``function`` in the launch file."""
    return [
        node.args[0].value for node in ast.walk(ast.parse(FILE.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id == function and isinstance(node.args[0], ast.Constant)]


def test_every_argument_is_declared_once_and_used() -> None:
    assert names_given_to('DeclareLaunchArgument') == ARGUMENTS
    assert sorted(names_given_to('LaunchConfiguration')) == sorted(ARGUMENTS)


def test_the_files_that_it_names_are_there() -> None:
    named = {
        node.value for node in ast.walk(ast.parse(FILE.read_text()))
        if isinstance(node, ast.Constant) and str(node.value).endswith(('.yaml', '.xml'))}
    assert named == {'ditta.yaml', 'fastdds.xml'}
    for name in named:
        assert (ROOT / 'config' / name).is_file()


@pytest.fixture
def describe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """Make the launch description as ros2 launch does, this tree being installed."""
    pytest.importorskip(
        'launch.actions', reason='launch is part of a ROS 2 distribution, not of PyPI')
    pytest.importorskip('launch_ros')
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'ditta_ros').touch()
    (tmp_path / 'share' / 'ditta_ros').symlink_to(ROOT)
    kept = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path}{os.pathsep}{kept}')
    for name in ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE', 'ROS_DISTRO'):
        monkeypatch.delenv(name, raising=False)
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    return lambda: get_launch_description_from_python_launch_file(str(FILE))


def test_the_description_has_the_arguments_the_profile_and_the_node(
    describe: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
    from launch.utilities import perform_substitutions
    from launch_ros.actions import Node

    def of_kind(kind: type) -> list:
        return [entity for entity in describe().entities if isinstance(entity, kind)]

    context = LaunchContext()
    arguments = of_kind(DeclareLaunchArgument)
    defaults = {
        argument.name: perform_substitutions(context, argument.default_value)
        for argument in arguments}
    config = tmp_path / 'share' / 'ditta_ros' / 'config'
    assert defaults == {
        'image': 'image', 'params_file': str(config / 'ditta.yaml'), 'namespace': '',
        'use_sim_time': 'false', 'log_level': 'info'}
    assert all(argument.description for argument in arguments)
    variable, = of_kind(SetEnvironmentVariable)
    assert perform_substitutions(context, variable.name) == 'FASTDDS_DEFAULT_PROFILES_FILE'
    assert perform_substitutions(context, variable.value) == str(config / 'fastdds.xml')
    node, = of_kind(Node)
    assert (node.node_package, node.node_executable) == ('ditta_ros', 'ditta_node')

    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', '/mine.xml')
    assert of_kind(SetEnvironmentVariable) == []
