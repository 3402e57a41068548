"""An active node that publishes, and a listener to it, in this process and over DDS."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

PATIENCE_S = 60.0


class Pair:
    """``node``, a lifecycle node, and ``listener``, both spun by ``until``."""

    def __init__(self, context: Context) -> None:
        self.node = LifecycleNode('ditta', context=context)
        self.listener = rclpy.create_node('listener', context=context)
        self._executor = SingleThreadedExecutor(context=context)
        for node in (self.node, self.listener):
            self._executor.add_node(node)

    def activate(self) -> None:
        self.node.trigger_configure()
        self.node.trigger_activate()

    def hear(self, kind: Any, topic: str, qos: QoSProfile) -> list:
        """Return a list of the messages that come, once the node has found its only listener."""
        heard: list = []
        self.listener.create_subscription(kind, topic, heard.append, qos)
        publishers = [each for each in self.node.publishers
                      if each.topic_name == self.node.resolve_topic_name(topic)]
        assert publishers, f'nobody publishes {topic}'
        self.until(lambda: all(each.get_subscription_count() for each in publishers))
        return heard

    def until(self, done: Callable[[], Any]) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end_s, 'waited in vain'
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self.listener.destroy_node()
