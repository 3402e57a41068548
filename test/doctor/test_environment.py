from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ditta_ros.doctor import environment
from ditta_ros.doctor.finding import State


def test_this_python_is_good_and_an_older_one_is_not() -> None:
    here = environment.python()
    assert here.state is State.OK and sys.executable in here.seen
    old = environment.python((3, 8, 10))
    assert (old.state, old.remedy) == (
        State.PROBLEM, 'sudo apt install python3.12 python3.12-venv')


@pytest.mark.parametrize(('environ', 'state', 'seen'), [
    ({'ROS_DISTRO': 'jazzy'}, State.OK, 'jazzy, sourced'),
    ({'ROS_DISTRO': 'foxy'}, State.NOTE, 'support has ended'),
    ({'ROS_DISTRO': 'noetic', 'ROS_VERSION': '1'}, State.PROBLEM, 'ROS 1 noetic is sourced'),
    ({}, State.NOTE, 'none sourced, none in'),
])
def test_the_sourced_distribution(
        environ: dict[str, str], state: State, seen: str, tmp_path: Path) -> None:
    found = environment.distribution(environ, tmp_path)
    assert found.state is state and seen in found.seen


def test_a_distribution_that_lies_there_unsourced_is_named(tmp_path: Path) -> None:
    for name in ('humble', 'jazzy', 'noetic'):
        (tmp_path / name).mkdir()
    found = environment.distribution({}, tmp_path)
    assert (found.state, found.remedy) == (
        State.NOTE, f'source {tmp_path}/jazzy/setup.bash')


@pytest.mark.parametrize(('environ', 'state', 'seen'), [
    ({}, State.OK, 'domain 0, the whole subnet'),
    ({'ROS_DOMAIN_ID': '42'}, State.OK, 'domain 42'),
    ({'ROS_DOMAIN_ID': '102'}, State.NOTE, 'ports may be taken'),
    ({'ROS_DOMAIN_ID': '233'}, State.PROBLEM, "'233'"),
    ({'ROS_DOMAIN_ID': 'front'}, State.PROBLEM, "'front'"),
    ({'ROS_LOCALHOST_ONLY': '1'}, State.NOTE, 'no camera of another machine'),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}, State.NOTE, 'no camera of another machine'),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, State.OK, 'the whole subnet'),
])
def test_what_keeps_nodes_apart(environ: dict[str, str], state: State, seen: str) -> None:
    found = environment.discovery(environ)
    assert found.state is state and seen in found.seen
