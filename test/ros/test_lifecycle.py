from __future__ import annotations

from collections.abc import Iterator

import pytest
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ditta_ros.ros.lifecycle import transition


class Failing(LifecycleNode):
    """Fails to configure with the error that it is given."""

    error: Exception | None = None

    @transition
    def on_configure(self, state: LifecycleState) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def node(context: Context) -> Iterator[Failing]:
    node = Failing('failing', context=context)
    yield node
    node.destroy_node()


def test_a_step_that_ends_well_succeeds(node: Failing) -> None:
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS


def test_what_the_user_can_cure_fails_the_transition_with_one_line(
    node: Failing, capfd: pytest.CaptureFixture,
) -> None:
    node.error = ValueError('segmenter.model is a directory,\n  got /x: correct it')
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    line, = capfd.readouterr().err.splitlines()
    assert line.endswith('configure failed: segmenter.model is a directory, got /x: correct it')
    node.error = None
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS


def test_a_mistake_in_the_program_is_logged_with_its_traceback(
    node: Failing, capfd: pytest.CaptureFixture,
) -> None:
    node.error = TypeError('no such thing')
    assert node.trigger_configure() == TransitionCallbackReturn.ERROR
    err = capfd.readouterr().err
    assert 'Traceback' in err
    assert 'TypeError: no such thing' in err
