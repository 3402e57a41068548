"""The doctor as a user calls it; with cameras it is tested in test/ros/test_survey.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ditta_ros.doctor.children import WHEELS_MARK

CONFIG = Path(__file__).parents[2] / 'config'


def doctor(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    child = {name: value for name, value in os.environ.items()
             if name not in (WHEELS_MARK, 'FASTDDS_DEFAULT_PROFILES_FILE')}
    return subprocess.run(
        [sys.executable, '-m', 'ditta_ros.doctor', '--listen-s', '0', *arguments],
        env={**child, **environ}, text=True, check=False, capture_output=True)


def test_where_rclpy_is_missing_it_runs_and_says_so(tmp_path: Path) -> None:
    hidden = ('rclpy', 'sensor_msgs', 'ament_index_python')
    (tmp_path / 'sitecustomize.py').write_text(
        f'import sys\nsys.modules.update(dict.fromkeys({hidden}))\n')
    done = doctor(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ['rclpy', 'problem'] in [row[:2] for row in rows]
    assert ['SegFormer', 'ok'] in [row[:2] for row in rows]
    assert 'Traceback' not in done.stdout + done.stderr


def test_the_exit_code_says_whether_there_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / 'params.yaml'
    for model, expected in (('', None), ('/no/where', 'problem')):
        file.write_text(
            f'ditta: {{ros__parameters: {{warm_up.amount: 0, segmenter.model: "{model}", '
            'grups: ""}}')
        done = doctor(
            '--json', '--params-file', str(file),
            FASTDDS_DEFAULT_PROFILES_FILE=str(CONFIG / 'fastdds.xml'))
        found = json.loads(done.stdout)
        problems = [each['name'] for each in found if each['state'] == 'problem']
        assert ('parameters', 'note', 'did you mean groups?') in [
            (each['name'], each['state'], each['remedy']) for each in found]
        assert done.returncode == (1 if problems else 0)
        assert ('SegFormer' in problems) == (expected == 'problem')
        assert all(each['remedy'] for each in found if each['state'] == 'problem')


def test_options_that_do_not_work_are_told_in_a_line(tmp_path: Path) -> None:
    done = doctor('--params-file', str(tmp_path / 'no.yaml'))
    assert done.returncode == 2
    assert 'cannot be read' in done.stderr and len(done.stderr.splitlines()) == 1
