"""ditta_node, the program: ``ros2 run ditta_ros ditta_node``; the node is in ``ditta_node``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from ditta_ros.errors import one_line
from ditta_ros.ros.interrupts import ignore_interrupts, raise_on_interrupt
from ditta_ros.ros.logs import forwarding

if TYPE_CHECKING:
    from ditta_ros.ros.ditta_node import DittaNode

SPIN_S = 0.1  # an interrupt waits for the executor this long at most


def start(args: list[str] | None) -> DittaNode | None:
    """Make the node; None where its arguments or parameters do not allow it, with the reason."""
    # Here, as it imports torch: seconds in which the user may interrupt, too.
    from ditta_ros.ros.ditta_node import DittaNode
    try:
        # rclpy's own handlers would take the context away before the worker has stopped.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        return DittaNode()
    except (ValueError, RuntimeError) as error:
        sys.stderr.write(f'ditta_node: {one_line(error)}\n')
        return None


def run(node: DittaNode) -> int:
    """Run ``node`` until it is interrupted; 1 where it cannot load its models or subscribe."""
    with forwarding(node.get_logger()):
        try:
            if not node.autostart():
                return 1
            executor = SingleThreadedExecutor()
            executor.add_node(node)
            while rclpy.ok():
                executor.spin_once(timeout_sec=SPIN_S)
            return 0
        finally:
            ignore_interrupts()
            node.destroy_node()


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM (0); 1 where it cannot start, with the reason."""
    raise_on_interrupt()
    try:
        node = start(args)
        return 1 if node is None else run(node)
    except KeyboardInterrupt:
        return 0
    finally:
        ignore_interrupts()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
