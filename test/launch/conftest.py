"""This tree as if it were installed, and launch files run on it in processes of their own."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240.0  # a machine with other work to do takes its time to import torch
LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
    PythonLaunchDescriptionSource(sys.argv[1]),
    launch_arguments=[text.split(':=', 1) for text in sys.argv[2:]])]))
sys.exit(service.run())
"""


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install this tree for the test: by links, with the one executable that is launched."""
    pytest.importorskip(
        'launch.actions', reason='launch is part of a ROS 2 distribution, not of PyPI')
    pytest.importorskip(
        'launch_ros', reason='launch_ros is part of a ROS 2 distribution, not of PyPI')
    prefix = tmp_path / 'prefix'
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'ditta_ros').touch()
    (prefix / 'share' / 'ditta_ros').symlink_to(ROOT)
    node = prefix / 'lib' / 'ditta_ros' / 'ditta_node'
    node.parent.mkdir(parents=True)
    node.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ditta_ros.ros.node "$@"\n')
    node.chmod(node.stat().st_mode | stat.S_IXUSR)
    kept = os.environ.get('AMENT_PREFIX_PATH', '')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{prefix}{os.pathsep}{kept}')
    for name in ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE', 'ROS_DISTRO'):
        monkeypatch.delenv(name, raising=False)
    return prefix


@pytest.fixture
def domain_id(monkeypatch: pytest.MonkeyPatch) -> int:
    """A domain of this process and its children alone."""
    domain = 1 + os.getpid() % 100  # up to 101 is free on every platform
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    return domain


@pytest.fixture
def describe(prefix: Path) -> Callable[..., Any]:
    """Return what a launch file comes to, given its arguments: processes and what else it does."""
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, OpaqueFunction
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    def actions(file: Path, **arguments: str) -> list[Any]:
        context = LaunchContext()
        context.launch_configurations.update(arguments)
        found = []
        for entity in get_launch_description_from_python_launch_file(str(file)).entities:
            if isinstance(entity, DeclareLaunchArgument):
                entity.visit(context)
            found += (
                entity.execute(context) if isinstance(entity, OpaqueFunction) else [entity])
        return found

    return actions


@pytest.fixture
def launch(
    prefix: Path, domain_id: int, tmp_path: Path,
) -> Iterator[Callable[..., subprocess.Popen]]:
    """Run a launch file with arguments; what still runs when the test ends gets a Ctrl-C."""
    from ditta_ros.ros.dds import process_environment
    running: list[subprocess.Popen] = []

    def start(file: Path, *arguments: str) -> subprocess.Popen:
        # The path that a test run adds to Python's own is not a child's.
        environment = {**process_environment(), 'PYTHONPATH': os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get('PYTHONPATH', '')]))}
        with (tmp_path / 'log.txt').open('wb') as log:
            running.append(subprocess.Popen(
                [sys.executable, '-c', LAUNCH, str(file), *arguments], cwd=tmp_path,
                env=environment, stdout=log, stderr=subprocess.STDOUT))
        return running[-1]

    yield start
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
