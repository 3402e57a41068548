from __future__ import annotations

import os

import pytest

from ditta_ros.doctor.children import WHEELS_MARK, ask


@pytest.mark.parametrize(('code', 'why'), [
    ('import no_such_module', "ModuleNotFoundError: No module named 'no_such_module'"),
    ('import os; os.kill(os.getpid(), 11)', 'killed by signal 11'),
    ('print("said here"); raise SystemExit(7)', 'said here'),
    ('raise SystemExit(7)', 'exit code 7'),
])
def test_how_a_child_ended(code: str, why: str) -> None:
    answer = ask('-c', code)
    assert answer.code != 0 and answer.why == why


def test_a_child_that_does_not_end() -> None:
    assert ask('-c', 'import time; time.sleep(60)', timeout_s=0.5).why == 'no answer within 0.5 s'


def test_the_environment_is_handed_on_but_for_the_mark_of_the_ros_wheels() -> None:
    answer = ask('-c', 'import os; print(os.environ["FRONT"])', environ={
        **os.environ, 'FRONT': 'camera', WHEELS_MARK: 'wrong'})
    assert answer.out.strip() == 'camera'
