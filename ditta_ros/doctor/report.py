"""The findings as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ditta_ros.doctor.finding import Finding, State

COLOURS = {State.OK: 'green', State.NOTE: 'yellow', State.PROBLEM: 'bold red'}


def table(findings: Sequence[Finding]) -> Group:
    """Return the findings in their order, and below them what mends what."""
    made = Table(show_edge=False, pad_edge=False, box=None)
    for name in ('what', '', 'seen'):
        made.add_column(name, overflow='fold', no_wrap=name == '')
    for each in findings:
        made.add_row(
            Text(each.name), Text(each.state.value, COLOURS[each.state]), Text(each.seen))
    lines = [Text.assemble((f'{each.name}: ', COLOURS[each.state]), each.remedy)
             for state in (State.PROBLEM, State.NOTE) for each in findings
             if each.state is state and each.remedy]
    return Group(made, Text(f'\n{count(findings)}'), *lines)


def count(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each kind, in a line."""
    states = Counter(each.state for each in findings)
    problems, notes = states[State.PROBLEM], states[State.NOTE]
    ending = '' if problems == 1 else 's'
    return (f'{problems or "no"} problem{ending}, {notes} to note, {states[State.OK]} ok'
            f'{"; what mends them:" if problems or notes else ""}')


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings as JSON: name, state, seen and remedy of each."""
    return json.dumps([
        {**vars(each), 'state': each.state.value} for each in findings], indent=1)
