"""The real node in a process of its own, over DDS."""

from __future__ import annotations

import signal
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from ditta_ros.ros import node
from ditta_ros.ros.messages import to_message
from ditta_ros.ros.qos import IMAGE_OUT
from live_node import (
    PATIENCE_S,
    Camera,
    camera_before,
    end,
    given,
    header,
    picture,
    reliable,
    running_node,
    start_node,
)

HEIGHT, WIDTH = 192, 256


def catches(pid: int, signum: signal.Signals) -> bool:
    """Return whether the process has a handler for ``signum``."""
    status = Path(f'/proc/{pid}/status').read_text()
    caught = next(line for line in status.splitlines() if line.startswith('SigCgt'))
    return bool(int(caught.split()[1], 16) >> (signum - 1) & 1)


@pytest.fixture(scope='module')
def camera(domain_id: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A camera in front of a node that adapts on its first three images."""
    log = tmp_path_factory.mktemp('node') / 'log.txt'
    values = given(
        'warm_up.amount:=3', 'adaptation.passes:=1', 'adaptation.held_out_percent:=0.0',
        'tau:=0.6')
    with (
        running_node(log, *values, *reliable()) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        camera.await_node()
        yield camera
    assert 'XMLPARSER' not in log.read_text()  # Fast DDS takes every line of the profile


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


@pytest.mark.parametrize(('name', 'value', 'reason'), [
    ('tau', 1.5, 'tau out of range'),
    ('tau', float('nan'), 'tau out of range'),
    ('tau', 'high', 'Wrong parameter type'),
    ('overlay_alpha', -0.1, 'overlay_alpha out of range'),
    ('adaptation.learning_rate', 0.1, 'read-only'),
    ('image_transport', 'compressed', 'read-only'),
    ('adaptation.pases', 3, 'undeclared parameter'),
])
def test_a_parameter_is_refused_over_the_service_with_the_reason(
    camera: Camera, name: str, value: Any, reason: str,
) -> None:
    done, said = change(camera, name, value)
    assert not done
    assert reason in said


def test_a_live_parameter_changes_over_the_service(camera: Camera) -> None:
    assert change(camera, 'tau', 0.7) == (True, '')
    answer = camera.call('get_parameters', GetParameters.Request(names=['tau']))
    assert answer.values[0].double_value == 0.7


def change(camera: Camera, name: str, value: Any) -> tuple[bool, str]:
    """Set a parameter over the service; return whether it was set, and the reason if not."""
    answer = camera.call('set_parameters', SetParameters.Request(
        parameters=[Parameter(name, value=value).to_parameter_msg()]))
    return answer.results[0].successful, answer.results[0].reason


def test_the_overlay_is_made_for_who_listens(camera: Camera) -> None:
    overlays: list[Image] = []
    subscription = camera.node.create_subscription(
        Image, 'segmentation/overlay', overlays.append, IMAGE_OUT)
    camera.until(lambda: camera.node.count_subscribers('segmentation/overlay') == 1, 'listener')
    sent = to_message(picture(1), 'rgb8', header(20))
    while not overlays:  # the node learns a little later that somebody listens
        camera.show(sent)
    camera.node.destroy_subscription(subscription)
    overlay = overlays[0]
    assert overlay.header == sent.header
    assert (overlay.height, overlay.width, overlay.encoding) == (HEIGHT, WIDTH, 'rgb8')
    assert list(overlay.data) != list(sent.data)


def test_a_compressed_stream_in_a_namespace_paused_resumed_and_interrupted(
    domain_id: int, tmp_path: Path,
) -> None:
    log = tmp_path / 'log.txt'
    process = start_node(
        log, '-r', '__ns:=/front', '-r', 'image:=color',
        *given('image_transport:=compressed', 'warm_up.amount:=0'),
        *reliable('/front/color/compressed'))
    try:
        with camera_before(
                process, log, domain_id, namespace='/front', kind=CompressedImage,
                topic='color/compressed') as camera:
            pause_and_resume(camera)
            # A camera that offers less than what was asked for is named.
            camera.node.create_publisher(CompressedImage, 'color/compressed', QoSProfile(
                depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
            camera.until(lambda: 'incompatible QoS' in log.read_text(), 'word about the QoS')
            assert 'node /front/camera publishes /front/color/compressed' in log.read_text()
    finally:
        # Twice, as a launched node in a terminal gets it.
        code = end(process, signal.SIGINT, signal.SIGINT)
    assert code == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


def pause_and_resume(camera: Camera) -> None:
    camera.await_node()
    jpeg = cv2.imencode('.jpg', picture(0)[:, :, ::-1])[1].tobytes()
    sent = CompressedImage(header=header(0), format='jpeg', data=array('B', jpeg))
    for message in camera.show(sent):
        assert message.header == sent.header
        assert (message.height, message.width) == (HEIGHT, WIDTH)
    assert camera.status['phase'] == 'frozen'
    for transition, listeners in (('deactivate', 0), ('activate', 1)):
        assert camera.change_state(transition)
        camera.until(
            lambda count=listeners: camera.publisher.get_subscription_count() == count,
            f'{listeners} listeners')
    mask, _ = camera.show(sent)
    assert mask.header == sent.header


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
