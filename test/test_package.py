"""What is installed is what is in the repository, and the files that describe it agree."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from distutils.core import run_setup
from pathlib import Path
from xml.etree import ElementTree

import pytest
from packaging.requirements import Requirement
from setuptools import Distribution

from test_style import PACKAGE, ROOT, imports, ros_packages

# Modules whose distribution has another name.
DISTRIBUTIONS = {
    'cv2': 'opencv-python-headless', 'hydra': 'hydra-core', 'PIL': 'pillow', 'yaml': 'PyYAML'}
EXECUTABLES = {
    'bench', 'convert', 'demo', 'ditta_node', 'doctor', 'evaluate', 'export', 'fetch_models',
    'make_bag'}
COLCON = 'import sys, colcon_core.command; sys.exit(colcon_core.command.main())'
TWO_TESTS = """
import ditta_ros.settings

def test_that_passes():
    assert ditta_ros.settings.Settings()

def test_that_fails():
    assert not ditta_ros.settings.Settings()
"""


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Distribution:
    """What setup.py says; nothing is built."""
    monkeypatch.chdir(ROOT)
    return run_setup('setup.py', stop_after='init')


def test_package_xml_says_what_setup_py_says(setup: Distribution) -> None:
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    said = {tag: manifest.findtext(tag) for tag in ('name', 'version', 'license', 'maintainer')}
    assert said == {
        'name': setup.get_name(), 'version': setup.get_version(),
        'license': setup.get_license(), 'maintainer': setup.get_maintainer()}
    assert manifest.find('maintainer').get('email') == setup.get_maintainer_email()
    assert manifest.findtext('description') == f'{setup.get_description()}.'


def test_package_xml_is_what_ros_tools_can_read() -> None:
    catkin_package = pytest.importorskip(
        'catkin_pkg.package', reason="catkin_pkg is not installed: pip install 'ditta_ros[test]'")
    warnings: list[str] = []
    package = catkin_package.parse_package(ROOT / 'package.xml', warnings=warnings)
    assert warnings == []
    assert package.get_build_type() == 'ament_python'


def test_entry_points_are_functions(setup: Distribution) -> None:
    scripts = dict(line.split(' = ') for line in setup.entry_points['console_scripts'])
    assert set(scripts) == EXECUTABLES
    for target in scripts.values():
        module, function = target.split(':')
        assert callable(getattr(importlib.import_module(module), function)), target


def test_requirements_are_what_the_package_imports(setup: Distribution) -> None:
    required = {Requirement(line).name for line in setup.install_requires}
    ours_or_pythons = sys.stdlib_module_names | {'ditta_ros'}
    imported = {
        name for file in PACKAGE.rglob('*.py')
        for name in imports(ast.parse(file.read_text(encoding='utf-8')))} - ours_or_pythons
    libraries = {
        DISTRIBUTIONS.get(name, name.replace('_', '-')) for name in imported - ros_packages()}
    optional = {
        Requirement(line).name for extra in ('export', 'ray')
        for line in setup.extras_require[extra]}
    assert libraries - optional == required


def test_every_requirement_has_a_lower_bound(setup: Distribution) -> None:
    for lines in [setup.install_requires, *setup.extras_require.values()]:
        assert [line for line in lines if '>=' not in line] == []


def test_ros_wheels_are_what_package_xml_asks_for(setup: Distribution) -> None:
    wheels = {
        Requirement(line).name.removeprefix('ros-kilted-').replace('-', '_')
        for line in setup.extras_require['ros']}
    # A distribution has a middleware already.
    assert wheels - {'rmw_fastrtps_cpp'} <= ros_packages()


@pytest.fixture(scope='module')
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ROS workspace with the package, two tests in place of its own, built by colcon."""
    pytest.importorskip(
        'colcon_core.command', reason="colcon is not installed: pip install 'ditta_ros[test]'")
    workspace = tmp_path_factory.mktemp('workspace')
    skip = shutil.ignore_patterns('.*', '__pycache__', '*.egg-info', 'build', 'install', 'log')
    source = workspace / 'src' / 'ditta_ros'
    shutil.copytree(ROOT, source, ignore=skip)
    shutil.rmtree(source / 'test')
    (source / 'test').mkdir()
    (source / 'test' / 'test_two.py').write_text(TWO_TESTS)
    colcon(workspace, 'build')
    return workspace


def test_colcon_build_installs_everything(workspace: Path) -> None:
    installed = workspace / 'install' / 'ditta_ros'
    share = installed / 'share' / 'ditta_ros'
    assert (installed / 'share/ament_index/resource_index/packages/ditta_ros').is_file()
    assert (share / 'package.xml').read_bytes() == (ROOT / 'package.xml').read_bytes()
    assert files(share / 'launch') == files(ROOT / 'launch')
    assert files(share / 'config') == files(ROOT / 'config')
    modules = next(installed.rglob('ditta_ros/settings.py')).parent
    assert files(modules) == files(PACKAGE)


def test_what_colcon_installed_runs(workspace: Path) -> None:
    installed = workspace / 'install' / 'ditta_ros'
    executables = installed / 'lib' / 'ditta_ros'
    assert {file.name for file in executables.iterdir()} == EXECUTABLES
    modules = next(installed.rglob('ditta_ros/settings.py')).parents[1]
    done = subprocess.run(
        [executables / 'make_bag', '--help'], cwd=workspace, text=True, capture_output=True,
        env={**os.environ, 'PYTHONPATH': str(modules)}, check=True)
    assert 'make_bag' in done.stdout


def test_colcon_test_runs_the_tests(workspace: Path) -> None:
    colcon(workspace, 'test')
    results = ElementTree.parse(workspace / 'build' / 'ditta_ros' / 'pytest.xml').getroot()
    suite = next(results.iter('testsuite'))
    assert (suite.get('tests'), suite.get('failures')) == ('2', '1')


def colcon(workspace: Path, verb: str) -> None:
    """Run a verb of colcon, undisturbed by the user's own defaults."""
    done = subprocess.run(
        [sys.executable, '-c', COLCON, verb, '--paths', 'src/ditta_ros'], cwd=workspace,
        env={**os.environ, 'COLCON_HOME': str(workspace)}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        pytest.fail(f'colcon {verb}\n{done.stdout}', pytrace=False)


def files(folder: Path) -> set[str]:
    """Return every file below ``folder`` that is not a cache, by its relative path."""
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob('*')
        if path.is_file() and '__pycache__' not in path.parts}
