"""Python, the sourced distribution, and where in the network nodes look for each other."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from ditta_ros.doctor.finding import Finding, note, ok, problem

OLDEST_PYTHON = (3, 10)
# Support has ended for all that came before: https://docs.ros.org/en/rolling/Releases.html
SUPPORTED_DISTROS = ('humble', 'jazzy', 'kilted', 'lyrical', 'rolling')
LAST_SAFE_DOMAIN = 101  # above it ports may meet those that the kernel hands out


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Look at the interpreter that this runs in."""
    kind = 'a virtual environment' if sys.prefix != sys.base_prefix else 'no virtual environment'
    seen = f'{platform.python_implementation()} {".".join(map(str, version))}, {kind}'
    if version < OLDEST_PYTHON:
        return problem('python', seen, 'sudo apt install python3.12 python3.12-venv')
    return ok('python', f'{seen}, {sys.executable}')


def distribution(environ: Mapping[str, str], installed_in: Path = Path('/opt/ros')) -> Finding:
    """Look for the sourced ROS distribution."""
    name, distro = 'ROS distribution', environ.get('ROS_DISTRO', '')
    there = sorted(folder.name for folder in installed_in.glob('*') if folder.is_dir())
    newest = next((each for each in reversed(there) if each in SUPPORTED_DISTROS), '')
    if environ.get('ROS_VERSION') == '1':
        return problem(
            name, f'ROS 1 {distro} is sourced', 'open a terminal without it, and: source '
            f'{installed_in}/{newest or "jazzy"}/setup.bash')
    if distro in SUPPORTED_DISTROS:
        return ok(name, f'{distro}, sourced')
    if distro:
        return note(name, f'{distro}, of which the support has ended')
    if newest:
        return note(
            name, f'none sourced, though {", ".join(there)} is in {installed_in}',
            f'source {installed_in}/{newest}/setup.bash')
    return note(name, f'none sourced, none in {installed_in}')


def discovery(environ: Mapping[str, str]) -> Finding:
    """Look at the variables that keep nodes from seeing each other."""
    name, domain = 'discovery', environ.get('ROS_DOMAIN_ID', '') or '0'
    if not domain.isdecimal() or int(domain) > 232:
        return problem(
            name, f'ROS_DOMAIN_ID is {domain!r}, and must be 0 to 232', 'export ROS_DOMAIN_ID=0')
    if int(domain) > LAST_SAFE_DOMAIN:
        return note(
            name, f'domain {domain}: above {LAST_SAFE_DOMAIN} its ports may be taken',
            'export ROS_DOMAIN_ID=0, on all machines')
    reach = environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    if environ.get('ROS_LOCALHOST_ONLY') == '1':
        return note(
            name, f'domain {domain}, ROS_LOCALHOST_ONLY=1: no camera of another machine is seen',
            'unset ROS_LOCALHOST_ONLY')
    if reach in ('LOCALHOST', 'OFF'):
        return note(
            name, f'domain {domain}, ROS_AUTOMATIC_DISCOVERY_RANGE={reach}: no camera of another '
            'machine is seen', 'unset ROS_AUTOMATIC_DISCOVERY_RANGE')
    return ok(name, f'domain {domain}, the whole subnet')
