from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from ditta_ros.doctor.finding import Finding, State, note, ok, problem
from ditta_ros.doctor.report import as_json, count, table

FOUND = [
    ok('python', '3.11'), note('GPU', 'none', 'buy one [or not]'),
    problem('rclpy', 'absent', 'source /opt/ros/jazzy/setup.bash')]


def test_a_problem_without_a_remedy_is_refused() -> None:
    with pytest.raises(ValueError, match='a problem needs a remedy'):
        Finding('rclpy', State.PROBLEM, 'absent')


def test_the_table_shows_all_and_below_it_what_mends_it_problems_first() -> None:
    out = io.StringIO()
    Console(width=80, file=out).print(table(FOUND))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert [line.split() for line in lines[1:4]] == [
        ['python', 'ok', '3.11'], ['GPU', 'note', 'none'], ['rclpy', 'problem', 'absent']]
    assert lines[-3:] == [
        '1 problem, 1 to note, 1 ok; what mends them:',
        'rclpy: source /opt/ros/jazzy/setup.bash', 'GPU: buy one [or not]']


def test_without_a_problem() -> None:
    assert count(FOUND[:1]) == 'no problems, 0 to note, 1 ok'


def test_json_holds_every_field() -> None:
    assert json.loads(as_json(FOUND))[2] == {
        'name': 'rclpy', 'state': 'problem', 'seen': 'absent',
        'remedy': 'source /opt/ros/jazzy/setup.bash'}
