"""A parameter file of ROS: what it gives to each node called ditta."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ditta_ros.doctor.finding import Finding, note
from ditta_ros.plain_yaml import PlainYamlError, plain_text, plain_value
from ditta_ros.ros.node_parameters import NODE_PARAMETERS, unknown
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
        tree = plain_value(plain_text(path))
    except PlainYamlError as error:
        raise ParamsFileError(
            f'--params-file {str(path)!r} cannot be read ({error}): give a yaml file '
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


def unread(given: Mapping[str, Any], where: str = '') -> list[Finding]:
    """Return a finding for each of a node's parameters that it ignores, most often misspelt.

    ``where`` is put before the names of the findings.
    """
    warnings = (warning.rpartition(': ') for warning in unknown(given))
    return [note(f'{where}parameters', seen, hint) for seen, _, hint in warnings]


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a node's parameters the engine reads.

    Raises SettingError for a value of the node's own parameters that breaks its rule.
    """
    for own in NODE_PARAMETERS:
        if own.name in given:
            own.rule.check(own.name, given[own.name], type(own.default))
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
