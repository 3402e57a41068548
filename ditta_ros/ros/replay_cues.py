"""Cues of a replay: when the bag may begin to play, and when the last mask has come.

``python -m ditta_ros.ros.replay_cues begin TOPIC [--recorded]`` ends once the node listens to its
images (models load for a while before it does) and the recorder to the node's masks;
``... end`` ends once every image received has been labelled or dropped.
replay.launch.py starts the next thing when the one before has ended.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String

from ditta_ros.ros.interrupts import ignore_interrupts, raise_on_interrupt
from ditta_ros.ros.qos import LATCHED

NODE_NAME, RECORDER_NAME = 'ditta', 'rosbag2_recorder'
LOOK_S = 0.2
# The status is told every half second at most, and not during a unit of adaptation.
SETTLED_S = 15.0


def listens(node: Node, name: str, topic: str) -> bool:
    """Whether a node called ``name``, in any namespace, subscribes to ``topic``."""
    return any(info.node_name == name for info in node.get_subscriptions_info_by_topic(topic))


def await_listeners(node: Node, topic: str, recorded: bool) -> None:
    """Return once the node listens to ``topic``, and where ``recorded``, the recorder to it."""
    wanted = {topic: NODE_NAME}
    if recorded:
        wanted |= {
            f'segmentation/{name}': RECORDER_NAME for name in ('mask', 'confidence', 'status')}
    while not all(listens(node, name, heard) for heard, name in wanted.items()):
        time.sleep(LOOK_S)


def await_last_mask(node: Node, settled_s: float = SETTLED_S) -> dict[str, Any]:
    """Return the node's status once its counts have left no image waiting for ``settled_s``."""
    status: dict[str, Any] = {}
    changed_s = time.monotonic()

    def take(message: String) -> None:
        nonlocal status, changed_s
        told = json.loads(message.data)
        if 'frames_received' not in told:
            return  # of a node that has been cleaned up
        last, status = status, told
        if not last or counts(last) != counts(status):  # rates and latencies go on changing
            changed_s = time.monotonic()

    node.create_subscription(String, 'segmentation/status', take, LATCHED)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    try:
        while not (status and all_answered(status) and time.monotonic() - changed_s >= settled_s):
            executor.spin_once(timeout_sec=LOOK_S)
    finally:
        executor.shutdown()
    return status


def counts(status: dict[str, Any]) -> tuple[int, int]:
    """Return how many images the node has received, and how many it has labelled or dropped."""
    return (
        status['frames_received'], status['frames_labelled'] + sum(status['dropped'].values()))


def all_answered(status: dict[str, Any]) -> bool:
    """Whether every image received so far has been labelled or dropped, as ``status`` says."""
    received, answered = counts(status)
    return received == answered


def summary(status: dict[str, Any]) -> str:
    """Return what became of the images, in a line."""
    dropped = ', '.join(f'{count} {cause}' for cause, count in status['dropped'].items() if count)
    return (
        f'{status["frames_received"]} images received, {status["frames_labelled"]} labelled, '
        f'dropped: {dropped or "none"}; the phase is {status["phase"]}')


def run(arguments: Sequence[str]) -> None:
    """Wait for the cue that ``arguments`` name."""
    parser = argparse.ArgumentParser(prog='replay_cues', description='Waits in a replay.')
    cues = parser.add_subparsers(dest='cue', required=True)
    begin = cues.add_parser('begin', help='until the node, and the recorder, listen')
    begin.add_argument('topic', metavar='TOPIC', help="the camera's, as the node subscribes to it")
    begin.add_argument('--recorded', action='store_true', help='the masks are to be recorded')
    cues.add_parser('end', help='until every image has been labelled or dropped')
    options = parser.parse_args(arguments)
    # No handlers: Ctrl-C stays a KeyboardInterrupt.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node('ditta_replay')
    log = node.get_logger()
    if options.cue == 'begin':
        log.info(f'waiting until the node listens to {options.topic}')
        await_listeners(node, options.topic, options.recorded)
        return
    status = await_last_mask(node)
    (log.info if status['frames_labelled'] else log.error)(summary(status))


def main(arguments: Sequence[str] | None = None) -> int:
    """Wait for a cue (0); 130 where it was interrupted before."""
    raise_on_interrupt()
    try:
        run(sys.argv[1:] if arguments is None else arguments)
        return 0
    except KeyboardInterrupt:
        return 130
    finally:
        ignore_interrupts()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
