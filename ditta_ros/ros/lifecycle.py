"""Lifecycle transitions whose failures are told."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ditta_ros.errors import one_line


def transition(step: Callable[[Any, LifecycleState], None]) -> Callable[..., Any]:
    """Make a transition callback of ``step``: what the user can cure fails it with one line.

    rclpy drops whatever a callback raises, so other errors are logged with their traceback here.
    """
    @functools.wraps(step)
    def run(node: LifecycleNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            step(node, state)
        except (ValueError, RuntimeError, OSError) as error:
            node.get_logger().error(f'{step.__name__[3:]} failed: {one_line(error)}')
            return TransitionCallbackReturn.FAILURE
        except Exception:  # none is expected: rclpy would end the transition without a word
            node.get_logger().fatal(traceback.format_exc())
            raise
        return TransitionCallbackReturn.SUCCESS

    return run
