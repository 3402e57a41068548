"""What can be said of the launch files without launch: by their source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT / 'ditta_ros' / 'ros' / 'launch_parts.py'
SHARED_ARGUMENTS = {'depth', 'params_file', 'device', 'log_level', 'rviz'}


def declared(file: Path) -> list[ast.Call]:
    """Return each DeclareLaunchArgument(...) of a file."""
    return [
        node for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id == 'DeclareLaunchArgument']


def names(file: Path) -> list[str]:
    return [ast.literal_eval(call.args[0]) for call in declared(file)]


def read(file: Path) -> set[str]:
    """Return each argument that a file reads: given['name']."""
    return {
        ast.literal_eval(node.slice) for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        and node.value.id == 'given'}


@pytest.mark.parametrize(('file', 'own'), [
    ('ditta.launch.py', {'image', 'namespace', 'cameras', 'autostart', 'use_sim_time'}),
    ('replay.launch.py', {
        'bag', 'topic', 'rate', 'loop', 'warm_up_percent', 'record', 'record_images', 'output'}),
])
def test_every_argument_is_declared_once_and_used(file: str, own: set[str]) -> None:
    path = ROOT / 'launch' / file
    all_names = names(path) + names(SHARED)
    assert len(all_names) == len(set(all_names))
    assert set(all_names) == own | SHARED_ARGUMENTS
    assert read(path) | read(SHARED) == own | SHARED_ARGUMENTS


@pytest.mark.parametrize('file', [*sorted((ROOT / 'launch').glob('*.py')), SHARED])
def test_every_argument_is_explained(file: Path) -> None:
    calls = declared(file)
    assert calls
    for call in calls:
        said = {word.arg: word.value for word in call.keywords}
        assert ast.literal_eval(said['description']), ast.unparse(call)


def test_the_files_that_are_named_are_there() -> None:
    named = {
        ast.literal_eval(node.args[0]) for node in ast.walk(ast.parse(SHARED.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id == 'config'}
    assert named == {'ditta.yaml', 'fastdds.xml', 'ditta.rviz'}
    for name in named:
        assert (ROOT / 'config' / name).is_file()
