"""Looks at the image topics of the network: ``python -m ditta_ros.ros.survey``, for the doctor.

Prints what ``doctor.seen`` describes, as JSON, once nothing new has turned up for a while.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage, Image

from ditta_ros.doctor.seen import Endpoint, ImageTopic, to_json
from ditta_ros.ros import qos

TYPES = {'sensor_msgs/msg/Image': Image, 'sensor_msgs/msg/CompressedImage': CompressedImage}
SETTLE_S, PATIENCE_S = 2.0, 20.0  # how long nothing new has turned up, and the longest wait
EMPTY_S = 6.0  # how long at least where nothing has: the first answer takes longest
LISTEN_S, LOOK_S = 3.0, 0.1
# Of ours: to be asked for would make the node paint them.
OUTPUTS = tuple(f'/segmentation/{name}' for name in ('mask', 'confidence', 'color', 'overlay'))
AT_ONCE = 8  # topics listened to: a robot's cameras together may be more than its network bears


class Ear:
    """Counts the images of one topic, as the node would receive them."""

    def __init__(self, node: Node, topic: ImageTopic) -> None:
        self.topic, self._kind = topic, TYPES[f'sensor_msgs/msg/{topic.type}']
        self._first = b''
        self._times_s: list[float] = []
        self._subscription = node.create_subscription(
            self._kind, topic.name, self._hear, qos.copy(qos.IMAGE_IN), raw=True)

    def _hear(self, raw: bytes) -> None:
        self._first = self._first or raw
        self._times_s.append(time.monotonic())

    def heard(self, listened_s: float) -> ImageTopic:
        """Return the topic with what came of it."""
        count = len(self._times_s)
        rate_hz = None
        if count > 1 and self._times_s[-1] > self._times_s[0]:
            rate_hz = (count - 1) / (self._times_s[-1] - self._times_s[0])
        return replace(
            self.topic, listened_s=listened_s, images=count, rate_hz=rate_hz,
            kind=_describe(deserialize_message(self._first, self._kind)) if count else '')


def look(node: Node) -> list[ImageTopic]:
    """Return the image topics that ``node`` knows now, by name."""
    found = []
    for name, types in sorted(node.get_topic_names_and_types()):
        for kind in types:
            if kind in TYPES:
                publishers = node.get_publishers_info_by_topic(name)
                found.append(ImageTopic(
                    name, kind.rpartition('/')[2],
                    tuple(_endpoint(each) for each in publishers),
                    tuple(_endpoint(each, [one.qos_profile for one in publishers])
                          for each in node.get_subscriptions_info_by_topic(name))))
    return found


def look_until_settled(node: Node, settle_s: float) -> list[ImageTopic]:
    """Return the image topics once nothing has changed for ``settle_s``."""
    topics, begun_s = look(node), time.monotonic()
    changed_s = begun_s
    while time.monotonic() - begun_s < PATIENCE_S:
        time.sleep(LOOK_S)
        now = look(node)
        if now != topics:
            topics, changed_s = now, time.monotonic()
        if time.monotonic() - changed_s >= (settle_s if topics else max(settle_s, EMPTY_S)):
            break
    return topics


def listen(node: Node, topics: Sequence[ImageTopic], listen_s: float) -> list[ImageTopic]:
    """Listen to the cameras among ``topics``, the first ``AT_ONCE``; return all topics."""
    cameras = [topic for topic in topics if topic.publishers
               and not topic.name.endswith(OUTPUTS)][:AT_ONCE]
    ears = {topic.name: Ear(node, topic) for topic in cameras}
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    end_s = time.monotonic() + listen_s
    while time.monotonic() < end_s:
        executor.spin_once(timeout_sec=LOOK_S)
    executor.shutdown()
    return [ears[topic.name].heard(listen_s) if topic in cameras else topic for topic in topics]


def _endpoint(info: Any, publishers: Sequence[QoSProfile] = ()) -> Endpoint:
    """Return an endpoint; of a subscription, ``publishers`` are those of its topic."""
    profile, refuses = info.qos_profile, ''
    for offered in publishers:
        verdict, reason = qos_check_compatible(offered, profile)
        if verdict == QoSCompatibility.ERROR:  # not "is": each is made anew
            refuses = reason.replace('ERROR: ', '').rstrip(';')
    return Endpoint(
        f'{info.node_namespace.rstrip("/")}/{info.node_name}',
        profile.reliability.name.lower(), profile.durability.name.lower(), refuses)


def _describe(message: Image | CompressedImage) -> str:
    if isinstance(message, Image):
        return f'{message.width}x{message.height} {message.encoding}'
    return f'{message.format or "unnamed format"}, {len(message.data)} bytes'


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, listen and print."""
    parser = argparse.ArgumentParser(prog='survey', description='Looks at the image topics.')
    parser.add_argument('--listen-s', type=float, default=LISTEN_S)
    parser.add_argument('--settle-s', type=float, default=SETTLE_S)
    options = parser.parse_args(arguments)
    # No handlers: Ctrl-C stays a KeyboardInterrupt.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node('ditta_doctor')
        topics = listen(node, look_until_settled(node, options.settle_s), options.listen_s)
        sys.stdout.write(f'{to_json(topics)}\n')
        return 0
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
