"""rclpy, the RMW implementation, and the Fast DDS profile in force."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ditta_ros.doctor.children import Answer, ask
from ditta_ros.doctor.finding import Finding, note, ok, problem
from ditta_ros.ros import dds

LOAD_RCLPY = """
import rclpy
print(rclpy.__file__, flush=True)
from rclpy.utilities import get_rmw_implementation_identifier
print(get_rmw_implementation_identifier(), flush=True)
"""
PROFILE = 'Fast DDS profile'
WHEELS = "pip install 'ditta_ros[ros]'"
# An image of 16 MB must fit into one piece, and into the segment, as with config/fastdds.xml.
LARGE_BYTES = 16777216
# Fast DDS's own set of transports for large data takes the place of a profile.
LARGE_DATA = 'LARGE_DATA'


@dataclass(frozen=True)
class Rclpy:
    """How rclpy answered."""

    file: str  # empty: it could not be imported
    rmw: str  # empty: none could be loaded
    answer: Answer


def read_rclpy(environ: Mapping[str, str]) -> Rclpy:
    """Import rclpy in a process of its own, which it may end: for another RMW, say."""
    answer = ask('-c', LOAD_RCLPY, environ=environ)
    file, rmw, *_ = [*answer.out.split('\n'), '', '']
    return Rclpy(file.strip(), rmw.strip() if answer.code == 0 else '', answer)


def rclpy(
    found: Rclpy, environ: Mapping[str, str], installed_in: Path = Path('/opt/ros'),
) -> Finding:
    """Judge whether rclpy can be imported."""
    if found.rmw:
        return ok('rclpy', found.file)
    answer, distro = found.answer, environ.get('ROS_DISTRO', '')
    if _asks_for_another_rmw(answer):
        return ok('rclpy', 'there; see RMW')
    built_for = _other_python(answer.err)
    if built_for:
        return problem(
            'rclpy', f'is built for Python {built_for}, not for {_python()}',
            f'/usr/bin/python3 -m venv --system-site-packages .venv  # Python {built_for}')
    there = sorted(folder.name for folder in installed_in.glob('*') if folder.is_dir())
    remedy = WHEELS
    if "No module named 'rclpy'" in answer.err and not distro and there:
        remedy = f'source {installed_in}/{there[-1]}/setup.bash'
    elif distro:
        remedy = f'sudo apt install ros-{distro}-rclpy && source /opt/ros/{distro}/setup.bash'
    return problem('rclpy', f'cannot be imported: {answer.why}', remedy)


def rmw(found: Rclpy, environ: Mapping[str, str]) -> Finding:
    """Judge which middleware is in use."""
    wanted, distro = environ.get('RMW_IMPLEMENTATION', ''), environ.get('ROS_DISTRO', '')
    if found.rmw:
        how = 'as RMW_IMPLEMENTATION says' if wanted else 'by default'
        return ok('RMW', f'{found.rmw}, {how}')
    if wanted and wanted not in ('rmw_fastrtps_cpp', ''):
        apt = f'sudo apt install ros-{distro}-{wanted.replace("_", "-")}'
        return problem(
            'RMW', f'RMW_IMPLEMENTATION is {wanted}, which cannot be loaded: {found.answer.why}',
            apt if distro and re.fullmatch(r'rmw_\w+', wanted) else 'unset RMW_IMPLEMENTATION')
    return note('RMW', 'unknown, as rclpy cannot be imported')


def fastdds_profile(found: Rclpy, environ: Mapping[str, str]) -> Finding:
    """Judge the profile that Fast DDS reads: with stock settings most camera images are lost."""
    if not found.rmw:
        return note(PROFILE, 'not looked at, as rclpy cannot be imported')
    if 'fastrtps' not in found.rmw:
        return ok(PROFILE, f'none is needed by {found.rmw}')
    try:
        ours = dds.profile_path()
    except FileNotFoundError as error:
        return note(PROFILE, f'not looked at: {error}')
    (variable,) = dds.profile_environment(ours, {'ROS_DISTRO': environ.get('ROS_DISTRO', '')})
    remedy = f'export {variable}={ours}  # where the camera is started'
    set_in = variable
    if not environ.get(variable) and variable == dds.FASTDDS_3:
        set_in = dds.FASTDDS_2  # still read, with a warning
    if environ.get(set_in):
        return _judge_profile(environ[set_in], f'{set_in}={environ[set_in]}', remedy)
    if environ.get('FASTDDS_BUILTIN_TRANSPORTS', '').startswith(LARGE_DATA):
        return ok(PROFILE, f'none; FASTDDS_BUILTIN_TRANSPORTS={LARGE_DATA} has room for images')
    unread = ' read' if environ.get(dds.FASTDDS_3) else ''  # Fast DDS 2 does not know the name
    return problem(
        PROFILE, f'none{unread}: most large best-effort images are lost between processes', remedy)


def _judge_profile(file: str, seen: str, remedy: str) -> Finding:
    """Judge the profile ``file``, which ``seen`` names."""
    try:
        root = ElementTree.parse(file).getroot()
    except (OSError, ElementTree.ParseError) as error:
        return problem(PROFILE, f'{seen} cannot be read: {error}', remedy)
    sizes = {
        each.tag.rpartition('}')[2]: int(each.text or 0) for each in root.iter()
        if each.tag.rpartition('}')[2] in ('segment_size', 'maxMessageSize')
        and (each.text or '').strip().isdecimal()}
    small = [f'{tag} {sizes.get(tag, "not set")}' for tag in ('segment_size', 'maxMessageSize')
             if sizes.get(tag, 0) < LARGE_BYTES]
    if small:
        return note(
            PROFILE, f'{seen}, with {", ".join(small)}: images of up to 16 MB need '
            f'{LARGE_BYTES}', remedy)
    return ok(PROFILE, seen)


def _asks_for_another_rmw(answer: Answer) -> bool:
    return 'RMW implementation' in answer.err or 'rmw_' in answer.why


def _other_python(complaint: str) -> str:
    """Return the version of Python that rclpy was built for, where it is not this one."""
    found = re.search(r'/python(3\.\d+)/\S+/rclpy/', complaint)
    if '_rclpy_pybind11' not in complaint or found is None or found[1] == _python():
        return ''
    return found[1]


def _python() -> str:
    return f'{sys.version_info.major}.{sys.version_info.minor}'
