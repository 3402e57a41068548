"""Libraries: those that are here, and a cv_bridge of another NumPy in a process of its own."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ditta_ros.doctor import libraries
from ditta_ros.doctor.finding import State

# What a module that was compiled for NumPy 1 says in a process with NumPy 2, shortened.
NUMPY_1 = """
import sys
sys.stderr.write('A module that was compiled using NumPy 1.x cannot be run in\\nNumPy 2.4.6\\n')
raise ImportError('numpy.core.multiarray failed to import')
"""
SEGFAULT = 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n'


def with_cv_bridge(folder: Path, boost: str) -> dict[str, str]:
    """Make a package cv_bridge whose compiled part does ``boost``; return its environment."""
    package = folder / 'cv_bridge' / 'boost'
    package.mkdir(parents=True)
    # As the real one: a fault of the compiled part is swallowed.
    (package.parent / '__init__.py').write_text(
        'try:\n    from cv_bridge.boost import cv_bridge_boost\nexcept ImportError:\n    pass\n')
    (package / '__init__.py').touch()
    (package / 'cv_bridge_boost.py').write_text(boost)
    return {**os.environ, 'PYTHONPATH': str(folder), 'ROS_DISTRO': 'jazzy'}


def test_the_libraries_of_this_environment_are_there() -> None:
    found = libraries.libraries()
    assert found.state is State.OK and f'numpy {np.__version__}' in found.seen


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libraries.LIBRARIES, 'no_such_module', 'no-such')
    found = libraries.libraries()
    assert (found.state, found.seen, found.remedy) == (
        State.PROBLEM, 'not installed: no-such', 'pip install no-such')


def test_a_cv_bridge_that_fits(tmp_path: Path) -> None:
    found = libraries.numpy_and_cv_bridge(with_cv_bridge(tmp_path, ''))
    assert (found.state, found.seen) == (
        State.OK, f'numpy {np.__version__}, which cv_bridge fits')


@pytest.mark.parametrize('boost', [NUMPY_1, SEGFAULT])
def test_a_cv_bridge_of_numpy_1_is_built_again(boost: str, tmp_path: Path) -> None:
    found = libraries.numpy_and_cv_bridge(with_cv_bridge(tmp_path, boost))
    assert found.state is State.PROBLEM
    assert 'cv_bridge is built for numpy 1' in found.seen
    assert '-b jazzy' in found.remedy
    assert 'colcon build --packages-select cv_bridge' in found.remedy


def test_a_cv_bridge_that_is_broken_otherwise(tmp_path: Path) -> None:
    boost = "raise ImportError('libopencv_core.so.406: cannot open shared object file')\n"
    found = libraries.numpy_and_cv_bridge(with_cv_bridge(tmp_path, boost))
    assert found.state is State.PROBLEM and 'libopencv_core.so.406' in found.seen
    assert found.remedy == 'sudo apt install --reinstall ros-jazzy-cv-bridge'


@pytest.mark.skipif(find_spec('cv_bridge') is not None, reason='cv_bridge is installed')
def test_without_cv_bridge() -> None:
    found = libraries.numpy_and_cv_bridge(os.environ)
    assert (found.state, found.seen) == (State.OK, f'numpy {np.__version__}; no cv_bridge')


def test_a_missing_ros_package_says_what_is_missed_and_how_it_comes(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, 'OPTIONAL', {'json': 'nothing', 'no_such_msgs': 'names'})
    present, missing = libraries.optional_packages({'ROS_DISTRO': 'kilted'})
    assert (present.state, present.seen) == (State.OK, 'json')
    assert (missing.name, missing.state, missing.remedy) == (
        'no_such_msgs', State.NOTE, 'sudo apt install ros-kilted-no-such-msgs')
    assert 'without it no names' in missing.seen
    assert 'apt' not in libraries.optional_packages({})[1].remedy
