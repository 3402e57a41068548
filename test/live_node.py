"""What the tests over DDS share: the real node in a process of its own, and a camera before it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from ditta_ros.demo.world import World
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.qos import IMAGE_OUT, LATCHED

PATIENCE_S = 240.0  # a machine with other work to do takes its time to import torch
ASK_AGAIN_S = 20.0  # longer than a busy machine takes to load the models
OUTPUTS = ('mask', 'confidence', 'overlay')
SERVICES = {
    'change_state': ChangeState, 'get_state': GetState, 'get_parameters': GetParameters,
    'set_parameters': SetParameters,
    **dict.fromkeys(('warm_up', 'freeze', 'reset', 'save', 'load'), Trigger)}


class Camera:
    """Publishes images in ``namespace`` and keeps what the node there makes of them.

    ``process`` is the node's: nothing is awaited of one that has ended.
    """

    def __init__(
        self, context: Context, process: subprocess.Popen, log: Path, namespace: str = '/',
        kind: type = Image, topic: str = 'image', qos: QoSProfile = IMAGE_OUT,
    ) -> None:
        self._process, self._log = process, log
        self._executor = SingleThreadedExecutor(context=context)
        self.node = rclpy.create_node('camera', context=context, namespace=namespace)
        self._executor.add_node(self.node)
        self.publisher = self.node.create_publisher(kind, topic, qos)
        self.arrived: dict[str, list[Image]] = {'mask': [], 'confidence': []}
        self.status: dict[str, Any] = {}
        # Made ahead: an answer to a client that the node has not found yet is lost.
        self._clients: dict[str, Client] = {
            name: self.node.create_client(kind, f'ditta/{name}')
            for name, kind in SERVICES.items()}
        for name, messages in self.arrived.items():
            self.node.create_subscription(
                Image, f'segmentation/{name}', messages.append, IMAGE_OUT)
        self.node.create_subscription(String, 'segmentation/status', self._take_status, LATCHED)

    def _take_status(self, message: String) -> None:
        self.status = json.loads(message.data)

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Receive messages until ``done()`` holds; fail with the node's log where it does not."""
        end_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end_s and self._process.poll() is None, (
                f'no {what}; the status is {self.status}, the log:\n{self._log.read_text()}')
            self._executor.spin_once(timeout_sec=0.05)

    def await_node(self) -> None:
        """Wait until the node hears this camera, and this camera it.

        The status was subscribed to last: where it comes, the node has found the others, too.
        """
        self.until(
            lambda: self.publisher.get_subscription_count() == 1 and bool(self.status) and all(
                self.node.count_publishers(f'segmentation/{name}') == 1 for name in OUTPUTS),
            'node that listens')

    def show(self, message: Any) -> tuple[Image, Image]:
        """Publish an image and return the mask and the confidence that the node makes of it."""
        for messages in self.arrived.values():
            messages.clear()
        self.publisher.publish(message)
        self.until(lambda: all(self.arrived.values()), 'mask and confidence')
        (mask,), (confidence,) = self.arrived['mask'], self.arrived['confidence']
        return mask, confidence

    def call(self, name: str, request: Any) -> Any:
        """Call a service of ``SERVICES`` with a request of its kind and return its answer.

        A request may be lost where the node has not found this client yet, though the client has
        found the node: it is sent again.
        """
        client = self._clients[name]
        self.until(client.service_is_ready, f'service {name}')
        futures: list[Any] = []
        ask_again_s = 0.0

        def answered() -> bool:
            nonlocal ask_again_s
            if time.monotonic() > ask_again_s:
                futures.append(client.call_async(request))
                ask_again_s = time.monotonic() + ASK_AGAIN_S
            return any(future.done() for future in futures)

        self.until(answered, f'answer of {name}')
        return next(future.result() for future in futures if future.done())

    def change_state(self, transition: str) -> bool:
        """Ask for a lifecycle transition by its name; return whether it was made."""
        number, before = getattr(Transition, f'TRANSITION_{transition.upper()}'), self.state()
        made = self.call('change_state', ChangeState.Request(
            transition=Transition(id=number))).success
        # Where the first answer was lost, the second says that there is nothing more to do.
        return made or self.state() != before

    def state(self) -> str:
        """Return the node's lifecycle state."""
        return self.call('get_state', GetState.Request()).current_state.label

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


@contextmanager
def camera_before(
    process: subprocess.Popen, log: Path, domain_id: int, **where: Any,
) -> Iterator[Camera]:
    """Put a Camera before the node of ``process``, with an rclpy context of its own."""
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    camera = Camera(context, process, log, **where)
    try:
        yield camera
    finally:
        camera.close()
        context.try_shutdown()


def start_node(log: Path, *arguments: str) -> subprocess.Popen:
    with log.open('wb') as out:
        return subprocess.Popen(
            [sys.executable, '-m', 'ditta_ros.ros.node', '--ros-args', *arguments],
            stdout=out, stderr=subprocess.STDOUT, env=process_environment())


def end(process: subprocess.Popen, *signals: signal.Signals) -> int:
    for signum in signals:
        process.send_signal(signum)
    try:
        return process.wait(PATIENCE_S)
    finally:
        process.kill()


@contextmanager
def running_node(log: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """Run the node; it must end well when it is interrupted, and log no traceback before."""
    process = start_node(log, *arguments)
    try:
        yield process
    finally:
        code = end(process, signal.SIGINT)
    assert code == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


def given(*parameters: str) -> list[str]:
    """Return the arguments that give the node ``parameters``, each as name:=value."""
    return [word for parameter in parameters for word in ('-p', parameter)]


def reliable(topic: str = '/image', depth: int = 10) -> list[str]:
    """Return the arguments with which not one image is lost, however busy the machine is."""
    override = f'qos_overrides.{topic}.subscription'
    return given(f'{override}.reliability:=reliable', f'{override}.depth:={depth}')


def picture(index: int) -> np.ndarray:
    """A picture of the demo world, uint8 [192, 256, 3]."""
    return World(seed=3).frame(0.1 * index).rgb


def header(index: int) -> Header:
    return Header(stamp=Time(sec=100 + index // 10, nanosec=index % 10 * 100_000_000),
                  frame_id='front_camera')
