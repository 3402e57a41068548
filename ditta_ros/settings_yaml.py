"""Writes ``config/ditta.yaml``: ``python -m ditta_ros.settings_yaml > config/ditta.yaml``."""

from __future__ import annotations

import itertools
import json
import sys
import textwrap
from typing import Any

from ditta_ros.ros.node_parameters import all_parameters
from ditta_ros.settings import Parameter, Rule

HEAD = """\
# Every parameter of ditta_node with its default, meaning, unit and range.
# Written by: python -m ditta_ros.settings_yaml > config/ditta.yaml
#
# "live" parameters may change while the node runs (ros2 param set); the others are read at start.
/**:
  ros__parameters:
"""
WIDTH = 95  # columns of a comment, indent included


def limits(rule: Rule) -> str:
    """Return the rule's unit and range in words: ``px, 0 to 100``, ``auto | cpu``, or nothing."""
    if rule.choices:
        return ' | '.join(rule.choices)
    low = '' if rule.low is None else f'{rule.low:g}'
    high = '' if rule.high is None else f'{rule.high:g}'
    span = f'{low} to {high}' if low and high else f'>= {low}' if low else high and f'<= {high}'
    return ', '.join(part for part in (rule.unit, span) if part)


def scalar(value: Any) -> str:
    """Return ``value`` as a YAML scalar that every YAML version reads as the same type.

    YAML 1.1 reads 1e-05 as text and 0.0 without its point as an integer, so floats keep a point.
    """
    if isinstance(value, float):
        text = repr(value)
        return text if '.' in text else text.replace('e', '.0e')
    return json.dumps(value, ensure_ascii=False)


def _entry(parameter: Parameter, indent: str) -> str:
    notes = [limits(parameter.rule), 'live' if parameter.rule.live else '']
    note = '; '.join(part for part in notes if part)
    comments = [parameter.rule.about] + ([f'[{note}]'] if note else [])
    hash_ = f'{indent}# '
    lines = [
        textwrap.fill(comment, WIDTH, initial_indent=hash_, subsequent_indent=hash_)
        for comment in comments]
    lines.append(f'{indent}{parameter.name.rpartition(".")[2]}: {scalar(parameter.default)}')
    return '\n'.join(lines) + '\n'


def text() -> str:
    """Return the whole of ``config/ditta.yaml``."""
    out = HEAD
    grouped = itertools.groupby(all_parameters(), key=lambda p: p.name.rpartition('.')[0])
    for group, members in grouped:
        out += f'    {group}:\n' if group else ''
        out += ''.join(_entry(member, '      ' if group else '    ') for member in members)
    return out


if __name__ == '__main__':
    sys.stdout.write(text())
