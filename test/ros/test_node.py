"""The real node in a process of its own, over DDS."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from ditta_ros.demo.world import World
from ditta_ros.ros import node
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.messages import to_message
from ditta_ros.ros.qos import IMAGE_OUT, LATCHED

PATIENCE_S = 240.0  # a machine with other work to do takes its time to import torch
HEIGHT, WIDTH = 192, 256
OUTPUTS = ('mask', 'confidence', 'overlay')


class Camera:
    """Publishes images in ``namespace`` and keeps what the node there makes of them."""

    def __init__(
        self, context: Context, namespace: str, kind: type, topic: str, log: Path,
    ) -> None:
        self._log = log
        self._executor = SingleThreadedExecutor(context=context)
        self.node = rclpy.create_node('camera', context=context, namespace=namespace)
        self._executor.add_node(self.node)
        self.publisher = self.node.create_publisher(kind, topic, IMAGE_OUT)
        self.arrived: dict[str, list[Image]] = {'mask': [], 'confidence': []}
        self.status: dict[str, Any] = {}
        for name, messages in self.arrived.items():
            self.node.create_subscription(
                Image, f'segmentation/{name}', messages.append, IMAGE_OUT)
        self.node.create_subscription(String, 'segmentation/status', self._take_status, LATCHED)

    def _take_status(self, message: String) -> None:
        self.status = json.loads(message.data)

    def until(self, done: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end_s, (
                f'no {what}; the status is {self.status}, the log:\n{self._log.read_text()}')
            self._executor.spin_once(timeout_sec=0.05)

    def await_node(self) -> None:
        self.until(
            lambda: self.publisher.get_subscription_count() == 1 and all(
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

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client: Client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f'service {name}')
        future = client.call_async(request)
        self.until(future.done, f'answer of {name}')
        return future.result()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


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


def catches(pid: int, signum: signal.Signals) -> bool:
    """Return whether the process has a handler for ``signum``."""
    status = Path(f'/proc/{pid}/status').read_text()
    caught = next(line for line in status.splitlines() if line.startswith('SigCgt'))
    return bool(int(caught.split()[1], 16) >> (signum - 1) & 1)


@pytest.fixture(scope='module')
def camera(domain_id: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A camera in front of a node that adapts on its first three images."""
    log = tmp_path_factory.mktemp('node') / 'log.txt'
    process = start_node(
        log, '-p', 'warm_up.amount:=3', '-p', 'adaptation.passes:=1', '-p', 'tau:=0.6',
        # So that not one image is lost, however busy the machine is: the tests count them.
        '-p', 'qos_overrides./image.subscription.reliability:=reliable')
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    camera = Camera(context, '/', Image, 'image', log)
    try:
        camera.await_node()
        yield camera
    finally:
        camera.close()
        context.try_shutdown()
        code = end(process, signal.SIGINT)
    assert code == 0, log.read_text()
    assert 'Traceback' not in log.read_text()
    assert 'XMLPARSER' not in log.read_text()  # Fast DDS takes every line of the profile


def picture(index: int) -> np.ndarray:
    return World(seed=3).frame(0.1 * index).rgb


def header(index: int) -> Header:
    return Header(stamp=Time(sec=100, nanosec=index * 100_000_000), frame_id='front_camera')


def test_each_image_gets_a_mask_and_a_confidence_until_the_model_is_frozen(
    camera: Camera,
) -> None:
    phases = set()
    for index in range(5):
        sent = to_message(picture(index), 'bgr8', header(index))
        for message in camera.show(sent):
            assert message.header == sent.header
            assert (message.height, message.width) == (HEIGHT, WIDTH)
            assert (message.encoding, message.step) == ('mono8', WIDTH)
            assert len(message.data) == HEIGHT * WIDTH
        phases.add(camera.status.get('phase'))
    camera.until(lambda: camera.status['phase'] == 'frozen', 'frozen model')
    assert 'warm_up' in phases
    camera.until(lambda: camera.status['frames_labelled'] == 5, 'count of five images')
    assert camera.status['frames_received'] == 5
    assert not any(camera.status['dropped'].values())
    assert camera.status['adaptation_faults'] == 0
    assert camera.status['adaptation_steps'] > 0
    labels = np.frombuffer(camera.arrived['mask'][0].data, np.uint8)
    assert len(np.unique(labels)) > 1


def test_a_message_that_contradicts_itself_is_counted_and_the_next_is_labelled(
    camera: Camera,
) -> None:
    before = camera.status.get('dropped', {}).get('bad_message', 0)
    broken = to_message(picture(0), 'rgb8', header(10))
    broken.data = array('B', bytes(1000))
    camera.publisher.publish(broken)
    camera.until(
        lambda: camera.status['dropped']['bad_message'] == before + 1, 'count of the bad message')
    mask, _ = camera.show(to_message(picture(0), 'rgb8', header(11)))
    assert mask.header == header(11)


def test_parameters_change_over_the_service_or_are_refused_with_the_reason(
    camera: Camera,
) -> None:
    def change(name: str, **value: Any) -> tuple[bool, str]:
        answer = camera.call(SetParameters, 'ditta/set_parameters', SetParameters.Request(
            parameters=[Parameter(name=name, value=ParameterValue(**value))]))
        return answer.results[0].successful, answer.results[0].reason

    kind = ParameterType.PARAMETER_DOUBLE
    assert change('tau', type=kind, double_value=0.7) == (True, '')
    done, reason = change('tau', type=kind, double_value=1.5)
    assert not done
    assert 'tau out of range' in reason
    done, reason = change('adaptation.learning_rate', type=kind, double_value=0.1)
    assert not done
    assert 'read-only' in reason


def test_the_overlay_is_made_for_who_listens(camera: Camera) -> None:
    overlays: list[Image] = []
    subscription = camera.node.create_subscription(
        Image, 'segmentation/overlay', overlays.append, IMAGE_OUT)
    camera.until(lambda: camera.node.count_subscribers('segmentation/overlay') == 1, 'listener')
    sent = to_message(picture(1), 'rgb8', header(20))
    for _ in range(20):  # the node learns a little later that somebody listens
        camera.show(sent)
        if overlays:
            break
    camera.node.destroy_subscription(subscription)
    overlay = overlays[0]
    assert overlay.header == sent.header
    assert (overlay.height, overlay.width, overlay.encoding) == (HEIGHT, WIDTH, 'rgb8')
    assert list(overlay.data) != list(sent.data)


def test_a_compressed_stream_in_a_namespace_paused_resumed_and_interrupted(
    context: Context, tmp_path: Path,
) -> None:
    log = tmp_path / 'log.txt'
    reliable = 'qos_overrides./front/color/compressed.subscription.reliability:=reliable'
    process = start_node(
        log, '-r', '__ns:=/front', '-r', 'image:=color', '-p', 'image_transport:=compressed',
        '-p', 'warm_up.amount:=0', '-p', reliable)
    camera = Camera(context, '/front', CompressedImage, 'color/compressed', log)
    try:
        camera.await_node()
        jpeg = cv2.imencode('.jpg', picture(0)[:, :, ::-1])[1].tobytes()
        sent = CompressedImage(header=header(0), format='jpeg', data=array('B', jpeg))
        for message in camera.show(sent):
            assert message.header == sent.header
            assert (message.height, message.width) == (HEIGHT, WIDTH)
        assert camera.status['phase'] == 'frozen'

        for transition, listeners in (
                (Transition.TRANSITION_DEACTIVATE, 0), (Transition.TRANSITION_ACTIVATE, 1)):
            request = ChangeState.Request(transition=Transition(id=transition))
            assert camera.call(ChangeState, 'ditta/change_state', request).success
            camera.until(
                lambda count=listeners: camera.publisher.get_subscription_count() == count,
                f'{listeners} listeners')
        mask, _ = camera.show(sent)
        assert mask.header == sent.header

        # A camera that offers less than what was asked for is named.
        camera.node.create_publisher(CompressedImage, 'color/compressed', QoSProfile(
            depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
        camera.until(lambda: 'incompatible QoS' in log.read_text(), 'word about the QoS')
        assert 'node /front/camera publishes /front/color/compressed' in log.read_text()
    finally:
        camera.close()
        # Twice, as a launched node in a terminal gets it.
        code = end(process, signal.SIGINT, signal.SIGINT)
    assert code == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_libraries_load_ends_it_cleanly(
    signum: signal.Signals, tmp_path: Path,
) -> None:
    log = tmp_path / 'log.txt'
    process = start_node(log)
    end_s = time.monotonic() + PATIENCE_S
    while not catches(process.pid, signal.SIGTERM):  # true long before torch is imported
        assert time.monotonic() < end_s
        time.sleep(0.01)
    assert end(process, signum) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


@pytest.fixture
def signals() -> Iterator[None]:
    """Give this process its signal handlers back."""
    kept = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in kept.items():
        signal.signal(signum, handler)


@pytest.mark.usefixtures('signals')
@pytest.mark.parametrize(('arguments', 'said'), [
    (['-p', 'segmenter.model:=/no/where'], 'segmenter.model'),
    (['-p', 'tau:=1.5'], 'tau must be <= 1'),
    (['-p', 'warm_up.unit:=percent'], 'warm_up.unit percent needs a known stream length'),
    (['-p', 'qos_overrides./image.subscription.reliability:=bogus', '-p', 'warm_up.amount:=0'],
     'QoS override for policy `reliability`'),
    (['--params-file', '/no/where.yaml'], '/no/where.yaml'),
])
def test_a_failing_start_says_why_in_one_line(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture,
) -> None:
    assert node.main(['--ros-args', *arguments]) == 1
    lines = capfd.readouterr().err.splitlines()
    line, = [line for line in lines if said in line]
    assert 'Traceback' not in line
