"""The node's services: ``~/warm_up``, ``~/freeze``, ``~/reset``, ``~/save`` and ``~/load``.

All are std_srvs/Trigger.  What they ask for is done on the worker's thread, between two frames or
units of adaptation, and answered when it is done; images keep arriving meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from std_srvs.srv import Trigger

from ditta_ros.errors import one_line
from ditta_ros.ros.calls import FAULTS
from ditta_ros.ros.worker import Worker
from ditta_ros.session import Session
from ditta_ros.settings import Settings

Command = Callable[[Session, Settings], str]
"""Does what a service is for; returns what to answer, raises what the worker counts as a fault."""


def warm_up(session: Session, _: Settings) -> str:
    """Begin a new warm-up; the model in force goes on labelling."""
    session.start_warm_up()
    return 'a warm-up begins with the next image'


def freeze(session: Session, _: Settings) -> str:
    """Learn nothing more."""
    session.freeze()
    return str(session.status()['why'])


def reset(session: Session, _: Settings) -> str:
    """Go back to the frozen segmenter, and to a new warm-up."""
    session.reset()
    return str(session.status()['why'])


def save(session: Session, settings: Settings) -> str:
    """Write the adapted head to ``checkpoint.path``."""
    path = _checkpoint(settings)
    session.save(path)
    return f'saved to {path}'


def load(session: Session, settings: Settings) -> str:
    """Label with the adapted head in ``checkpoint.path``."""
    path = _checkpoint(settings)
    session.load(path)
    return f'loaded from {path}'


COMMANDS: tuple[Command, ...] = (warm_up, freeze, reset, save, load)


def offer(
    node: Node, worker: Callable[[], Worker | None], settings: Callable[[], Settings],
) -> None:
    """Offer the services on ``node``; ``worker`` returns None while the node is unconfigured."""

    async def answer(
        command: Command, _: Trigger.Request, response: Trigger.Response,
    ) -> Trigger.Response:
        present = worker()
        if present is None:
            response.message = (
                f'{command.__name__} needs a configured node, got an unconfigured one: configure '
                'it first (ros2 lifecycle set)')
            return response
        done = present.call(lambda session: command(session, settings()))
        await _Until(done)
        try:
            response.message, response.success = done.result(), True
        except FAULTS as error:
            response.message = one_line(error)
            node.get_logger().error(f'{command.__name__} failed: {response.message}')
        return response

    # A group of their own: in the node's, what waits here would keep the images waiting.
    group = MutuallyExclusiveCallbackGroup()
    for command in COMMANDS:
        node.create_service(
            Trigger, f'~/{command.__name__}', partial(answer, command), callback_group=group)


class _Until:
    """Waits for a future of another thread while the executor goes on with other callbacks."""

    def __init__(self, future: Future[str]) -> None:
        self._future = future

    def __await__(self) -> Generator[None, None, None]:
        while not self._future.done():
            yield  # the executor resumes what waits each time that it looks for work


def _checkpoint(settings: Settings) -> Path:
    if not settings.checkpoint.path:
        raise ValueError(
            'checkpoint.path must name a file (.safetensors), got none: set the parameter first')
    return Path(settings.checkpoint.path)
