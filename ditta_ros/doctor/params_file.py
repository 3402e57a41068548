"""A parameter file of ROS: what it gives to each node called ditta."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ditta_ros.errors import one_line
from ditta_ros.settings import parameters

KEY = 'ros__parameters'
EVERY_NODE = ('/**', '/*')


class ParamsFileError(ValueError):
    """A file is no parameter file: one line with the file, the fault and the remedy."""


def read_params_file(path: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters of each node that the file names, by dotted name.

    What is given to every node (``/**``) comes first in each, and stands alone where the file
    names no node called ditta.  Raises ParamsFileError.
    """
    try:
        tree = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParamsFileError(
            f'--params-file {str(path)!r} cannot be read ({one_line(error)}): give a yaml file '
            'as config/ditta.yaml') from error
    nodes = dict(_nodes(tree, '')) if isinstance(tree, dict) else {}
    if not nodes:
        raise ParamsFileError(
            f'--params-file {str(path)!r} must have {KEY} below the name of a node, as '
            'config/ditta.yaml has')
    everyone: dict[str, Any] = {}
    for name in EVERY_NODE:
        everyone |= nodes.pop(name, {})
    ours = {name: everyone | given for name, given in nodes.items()
            if name.rpartition('/')[2] in ('ditta', '*', '**')}
    return ours or {EVERY_NODE[0]: everyone}


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a node's parameters the engine reads."""
    known = {parameter.name for parameter in parameters()}
    return {name: value for name, value in given.items() if name in known}


def _nodes(tree: Mapping[str, Any], namespace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every node's full name and parameters; namespaces may be nested or part of names."""
    for name, below in tree.items():
        if not isinstance(below, dict):
            continue
        full = f'{namespace}/{str(name).lstrip("/")}'
        if isinstance(below.get(KEY), dict):
            yield full, dict(_flat(below[KEY], ''))
        yield from _nodes({key: each for key, each in below.items() if key != KEY}, full)


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', value
