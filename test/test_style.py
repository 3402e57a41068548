"""The linters pass, and the rooms of the package keep to themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'ditta_ros'

# A distribution's Python may be without them; "make test" and continuous integration have both.
needs_ruff = pytest.mark.skipif(find_spec('ruff') is None, reason='ruff is not installed')
needs_mypy = pytest.mark.skipif(find_spec('mypy') is None, reason='mypy is not installed')


@needs_ruff
def test_ruff_has_nothing_to_say() -> None:
    check('ruff', 'check', '--no-cache', '.')


@needs_mypy
def test_mypy_has_nothing_to_say() -> None:
    check('mypy')


def test_one_file_imports_sam2() -> None:
    # sam2's distribution also installs a top-level package "training".
    assert files_that_import({'sam2', 'training'}) == {'tracker.py'}


def test_ros_stays_in_its_room() -> None:
    files = files_that_import(ros_packages())
    assert 'ros/node.py' in files
    assert {file for file in files if not file.startswith('ros/')} == set()


@pytest.mark.parametrize(('code', 'names'), [
    ('import sam2', {'sam2'}),
    ('import torch, sam2.build_sam as b', {'torch', 'sam2'}),
    ('from sam2.modeling import sam2_base', {'sam2'}),
    ('def late():\n    from rclpy.node import Node', {'rclpy'}),
    ('from . import sam2', set()),
    ('sam2 = 1  # import sam2', set()),
])
def test_every_form_of_import_is_seen(code: str, names: set[str]) -> None:
    assert set(imports(ast.parse(code))) == names


def check(*command: str) -> None:
    """Run a Python module on the repository; fail with all that it printed."""
    done = subprocess.run(
        [sys.executable, '-m', *command], cwd=ROOT, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        pytest.fail(f'{" ".join(command)}\n{done.stdout}', pytrace=False)


def files_that_import(names: set[str]) -> set[str]:
    """Return the package's files that import one of the top-level ``names``."""
    return {
        file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob('*.py')
        if names & set(imports(ast.parse(file.read_text(encoding='utf-8'))))}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level name of every absolute import, at any depth of the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition('.')[0]


def ros_packages() -> set[str]:
    """Return what package.xml depends on, less the Python libraries: rclpy and the messages."""
    manifest = ElementTree.parse(ROOT / 'package.xml').getroot()
    keys = {str(depend.text) for depend in manifest.iter('exec_depend')}
    return {key for key in keys if not key.startswith('python3-')}
