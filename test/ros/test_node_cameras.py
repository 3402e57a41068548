"""Cameras that come, go, stand side by side, and jump in time, before the real node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sensor_msgs.msg import Image

from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.messages import to_message
from images import encode
from live_node import Camera, camera_before, given, header, picture, reliable, running_node

CPU = given('segmenter.device:=cpu')

# A camera as another process, which imports no more than it must to be there soon; its name is
# the frame_id of its images.
CAMERA_PROCESS = """
import array, random, sys, time
import rclpy
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

rclpy.init()
node = rclpy.create_node(sys.argv[1])
publisher = node.create_publisher(Image, 'image', 10)
pixels = array.array('B', random.Random(0).randbytes(48 * 64))
sec = 0
while True:
    sec += 1
    publisher.publish(Image(
        header=Header(stamp=Time(sec=sec), frame_id=sys.argv[1]), height=48, width=64,
        encoding='mono8', step=64, data=pixels))
    time.sleep(0.1)
"""


def start_camera(name: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-c', CAMERA_PROCESS, name], env=process_environment())


def masks_of(camera: Camera, name: str) -> list[Image]:
    return [mask for mask in camera.arrived['mask'] if mask.header.frame_id == name]


def assert_nothing_is_lost(camera: Camera) -> None:
    """Every image that arrived was labelled or dropped with its cause, every label published."""
    camera.until(lambda: camera.status['frames_labelled'] == len(camera.arrived['mask']),
                 'mask of each labelled image')
    status = camera.status
    dropped = {cause: count for cause, count in status['dropped'].items() if count}
    assert {*dropped} <= {'superseded'}  # a machine with other work to do may fall behind
    assert status['frames_received'] - status['frames_labelled'] - sum(dropped.values()) in (0, 1)


def test_labels_resume_when_a_killed_camera_comes_back(tmp_path: Path, domain_id: int) -> None:
    log = tmp_path / 'log.txt'
    with (
        running_node(log, *CPU, *given('warm_up.amount:=0'), *reliable()) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        camera.await_node()
        for name in ('first', 'second', 'third'):
            source = start_camera(name)
            try:
                camera.until(lambda name=name: len(masks_of(camera, name)) >= 5,
                             f'labels of the {name} camera')
            finally:
                source.kill()  # SIGKILL: it takes leave of nobody
                source.wait()
        assert_nothing_is_lost(camera)
        stamps = [mask.header.stamp.sec for mask in masks_of(camera, 'third')]
        assert stamps == sorted(stamps)


def test_two_nodes_in_two_namespaces_each_answer_their_own_camera(
    tmp_path: Path, domain_id: int,
) -> None:
    logs = {name: tmp_path / f'{name}.txt' for name in ('front', 'rear')}
    arguments = {
        name: ['-r', f'__ns:=/{name}', *CPU, *given('warm_up.amount:=0'),
               *reliable(f'/{name}/image')] for name in logs}
    with (
        running_node(logs['front'], *arguments['front']) as front_process,
        running_node(logs['rear'], *arguments['rear']) as rear_process,
        camera_before(front_process, logs['front'], domain_id, namespace='/front') as front,
        camera_before(rear_process, logs['rear'], domain_id, namespace='/rear') as rear,
    ):
        for camera in (front, rear):
            camera.await_node()
        sent = {'front': [], 'rear': []}
        for index in range(12):
            # The front camera has two images for each of the rear one, and another size.
            for name, camera in (('front', front), ('rear', rear)):
                if name == 'front' or index % 2:
                    rgb = picture(index)[:96] if name == 'rear' else picture(index)
                    message = to_message(rgb, 'rgb8', header(index))
                    message.header.frame_id = name
                    mask, confidence = camera.show(message)
                    assert mask.header == confidence.header == message.header
                    assert (mask.height, mask.width) == rgb.shape[:2]
                    sent[name].append(index)
        for camera, count in ((front, 12), (rear, 6)):
            camera.until(
                lambda camera=camera, count=count: camera.status['frames_labelled'] == count,
                f'{count} images')
            assert camera.status['frames_received'] == count


def test_a_camera_that_does_not_go_on_as_before_starts_the_warm_up_again(
    tmp_path: Path, domain_id: int,
) -> None:
    log = tmp_path / 'log.txt'
    values = given(
        'warm_up.amount:=4', 'adaptation.passes:=1', 'adaptation.held_out_percent:=0.0',
        'tau:=0.6')
    with (
        running_node(log, *CPU, *values, *reliable()) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        camera.await_node()
        for index in (5, 6, 7, 1, 2):
            assert_answered(camera, index, 'rgb8')
        assert_answered(camera, 3, 'bgr8')
        for index in (4, 5, 6, 7):
            assert_answered(camera, index, 'bgr8', top=96)
        camera.until(lambda: camera.status['phase'] == 'frozen', 'frozen model')
        assert camera.status['warm_up_restarts'] == 3
        assert camera.status['warm_up_frames'] == 4
        said = [line.partition('warm-up starts again after ')[2]
                for line in log.read_text().splitlines() if 'warm-up starts again' in line]
        assert said == [
            '3 frames: the stamp went back by 0.600 s',
            '2 frames: the encoding changed from rgb8 to bgr8',
            '1 frames: the frame size changed from (192, 256) to (96, 256) (H, W)']
        # When nothing is learned any more labels go on, and no new warm-up begins.
        assert_answered(camera, 0, 'rgb8')
        camera.until(lambda: camera.status['frames_labelled'] == 11, 'the last image')
        assert camera.status['phase'] == 'frozen'
        assert camera.status['warm_up_restarts'] == 3


def assert_answered(camera: Camera, index: int, encoding: str, top: int = 0) -> None:
    """The node labels the rows from ``top`` on of a picture."""
    sent = encode(picture(index)[top:], encoding, header(index))
    mask, _ = camera.show(sent)
    assert mask.header == sent.header
    assert (mask.height, mask.width) == (sent.height, sent.width)
