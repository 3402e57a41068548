"""rclpy and its middleware: as they are here, and in environments where they are amiss."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ditta_ros.doctor import middleware
from ditta_ros.doctor.children import Answer
from ditta_ros.doctor.finding import State
from ditta_ros.doctor.middleware import Rclpy

needs_rclpy = pytest.mark.skipif(find_spec('rclpy') is None, reason='rclpy is not installed')

FAST_DDS = Rclpy('/opt/rclpy/__init__.py', 'rmw_fastrtps_cpp', Answer(0, '', ''))
NEW, OLD = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
PYTHON_OF_ANOTHER = """Traceback (most recent call last):
  File "/opt/ros/humble/local/lib/python3.8/dist-packages/rclpy/__init__.py", line 49, in <module>
    from rclpy.signals import install_signal_handlers
ModuleNotFoundError: No module named 'rclpy._rclpy_pybind11'
The C extension '_rclpy_pybind11.cpython-311-x86_64-linux-gnu.so' isn't present on the system.
"""


def here(**changed: str) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items()
               if name not in ('RMW_IMPLEMENTATION', 'ROS_DISTRO', NEW, OLD)}
    return environ | changed


def failed(err: str, code: int = 1) -> Rclpy:
    return Rclpy('', '', Answer(code, '', err))


@needs_rclpy
def test_the_rclpy_of_this_environment() -> None:
    found = middleware.read_rclpy(here())
    assert found.file == find_spec('rclpy').origin
    assert found.rmw.startswith('rmw_')
    assert middleware.rclpy(found, here()).state is State.OK
    assert middleware.rmw(found, here()).seen == f'{found.rmw}, by default'


@needs_rclpy
def test_a_middleware_that_is_not_installed() -> None:
    environ = here(RMW_IMPLEMENTATION='rmw_nonsense_cpp')
    found = middleware.read_rclpy(environ)
    assert found.rmw == ''
    assert middleware.rclpy(found, environ).state is State.OK  # it is not rclpy's fault
    told = middleware.rmw(found, environ)
    assert (told.state, told.remedy) == (State.PROBLEM, 'unset RMW_IMPLEMENTATION')
    told = middleware.rmw(found, environ | {'ROS_DISTRO': 'jazzy'})
    assert told.remedy == 'sudo apt install ros-jazzy-rmw-nonsense-cpp'


def test_without_rclpy(tmp_path: Path) -> None:
    (tmp_path / 'sitecustomize.py').write_text("import sys\nsys.modules['rclpy'] = None\n")
    environ = here(PYTHONPATH=str(tmp_path))
    found = middleware.read_rclpy(environ)
    told = middleware.rclpy(found, environ, tmp_path / 'ros')
    assert told.state is State.PROBLEM and 'cannot be imported' in told.seen
    assert told.remedy == "pip install 'ditta_ros[ros]'"
    assert middleware.rmw(found, environ).state is State.NOTE
    assert middleware.fastdds_profile(found, environ).state is State.NOTE


def test_a_distribution_that_only_needs_to_be_sourced(tmp_path: Path) -> None:
    (tmp_path / 'jazzy').mkdir()
    told = middleware.rclpy(failed("ModuleNotFoundError: No module named 'rclpy'"), {}, tmp_path)
    assert told.remedy == f'source {tmp_path}/jazzy/setup.bash'


def test_an_rclpy_of_another_python() -> None:
    told = middleware.rclpy(failed(PYTHON_OF_ANOTHER), {'ROS_DISTRO': 'humble'})
    mine = f'{sys.version_info.major}.{sys.version_info.minor}'
    assert told.seen == f'is built for Python 3.8, not for {mine}'
    assert told.remedy.startswith('/usr/bin/python3 -m venv --system-site-packages .venv')


PROFILE = """<dds xmlns="http://www.eprosima.com"><profiles><transport_descriptors>
<transport_descriptor><segment_size>{}</segment_size><maxMessageSize>{}</maxMessageSize>
</transport_descriptor></transport_descriptors></profiles></dds>"""
needs_ament = pytest.mark.skipif(
    find_spec('ament_index_python') is None, reason='ament_index_python is not installed')


@needs_ament
def test_no_profile_is_mended_by_ours_under_the_name_that_this_fast_dds_reads() -> None:
    ours = Path(__file__).parents[2] / 'config' / 'fastdds.xml'
    for distro, name in (('kilted', NEW), ('jazzy', OLD), ('', NEW)):
        told = middleware.fastdds_profile(FAST_DDS, {'ROS_DISTRO': distro})
        assert told.state is State.PROBLEM
        assert told.remedy.startswith(f'export {name}={ours}')
        mended = middleware.fastdds_profile(FAST_DDS, {'ROS_DISTRO': distro, name: str(ours)})
        assert (mended.state, mended.seen) == (State.OK, f'{name}={ours}')


@needs_ament
def test_the_name_of_the_other_fast_dds() -> None:
    ours = str(Path(__file__).parents[2] / 'config' / 'fastdds.xml')
    # Fast DDS 3 still reads the old name, Fast DDS 2 does not know the new one.
    assert middleware.fastdds_profile(FAST_DDS, {OLD: ours}).state is State.OK
    told = middleware.fastdds_profile(FAST_DDS, {'ROS_DISTRO': 'humble', NEW: ours})
    assert told.state is State.PROBLEM and 'none read' in told.seen


@needs_ament
@pytest.mark.parametrize(('text', 'state', 'seen'), [
    (PROFILE.format(67108864, 16777216), State.OK, ''),
    (PROFILE.format(67108864, 65500), State.NOTE, 'maxMessageSize 65500'),
    (PROFILE.format(524288, 16777216), State.NOTE, 'segment_size 524288'),
    ('<dds></dds>', State.NOTE, 'segment_size not set, maxMessageSize not set'),
    ('<dds><broken', State.PROBLEM, 'cannot be read'),
    (None, State.PROBLEM, 'cannot be read'),
])
def test_a_profile_of_the_user(
        text: str | None, state: State, seen: str, tmp_path: Path) -> None:
    file = tmp_path / 'mine.xml'
    if text is not None:
        file.write_text(text)
    told = middleware.fastdds_profile(FAST_DDS, {NEW: str(file)})
    assert told.state is state and seen in told.seen


@needs_ament
def test_what_needs_no_profile() -> None:
    large = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA?max_msg_size=1MB'}
    assert middleware.fastdds_profile(FAST_DDS, large).state is State.OK
    cyclone = Rclpy('/opt/rclpy/__init__.py', 'rmw_cyclonedds_cpp', Answer(0, '', ''))
    assert middleware.fastdds_profile(cyclone, {}).seen == (
        'none is needed by rmw_cyclonedds_cpp')
