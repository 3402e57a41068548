"""Python's log records to the ROS log, so that the engine needs no rclpy to be heard."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from rclpy.impl.rcutils_logger import RcutilsLogger


class RosHandler(logging.Handler):
    """Forwards records to a ROS logger at the same level."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log ``record`` to ROS."""
        text = self.format(record)
        # One call per level: rclpy refuses a caller that changes its level from call to call.
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        elif record.levelno >= logging.INFO:
            self._logger.info(text)
        else:
            self._logger.debug(text)


@contextlib.contextmanager
def forwarding(logger: RcutilsLogger) -> Iterator[None]:
    """Send what ``ditta_ros`` logs to ``logger``, and only there."""
    ours = logging.getLogger('ditta_ros')
    handler, level, propagate = RosHandler(logger), ours.level, ours.propagate
    ours.addHandler(handler)
    ours.setLevel(logging.DEBUG)  # the ROS logger has the say: --log-level
    ours.propagate = False
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)
        ours.propagate = propagate
