"""Labelled points over DDS, made while somebody listens."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time
from rclpy.context import Context
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from ditta_ros.cloud import point_dtype
from ditta_ros.frame import Frame
from ditta_ros.ros.messages import to_message
from ditta_ros.ros.points import TOPIC, Labelled, Points, fields, to_cloud
from ditta_ros.ros.qos import IMAGE_OUT
from listening import Pair

MM = 1_000_000  # ns
MASK = np.array([[3, 5, 255], [7, 8, 9]], np.uint8)
DEPTH_MM = np.array([[2000, 0, 3000], [1000, 2000, 4000]], np.uint16)
INFO = CameraInfo(height=2, width=3, k=[2.0, 0.0, 1.0, 0.0, 4.0, 0.5, 0.0, 0.0, 1.0])

needs_sensor_msgs_py = pytest.mark.skipif(
    find_spec('sensor_msgs_py') is None, reason='sensor_msgs_py is not installed')


@pytest.fixture
def pair(context: Context) -> Iterator[Pair]:
    pair = Pair(context)
    yield pair
    pair.close()


def header(stamp_ms: int, frame_id: str = 'front') -> Header:
    return Header(stamp=Time(sec=0, nanosec=stamp_ms * MM), frame_id=frame_id)


def labelled(stamp_ms: int) -> Labelled:
    rgb = torch.zeros((2, 3, 3), dtype=torch.uint8)
    rgb[1, 2] = torch.tensor([1, 2, 3])
    return Labelled(
        header(stamp_ms), Frame(stamp_ms * MM, 'front', rgb), MASK,
        torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.5, 0.75]]))


def depth(stamp_ms: int, frame_id: str = 'front') -> Image:
    message = to_message(DEPTH_MM, '16UC1', header(stamp_ms, frame_id))
    assert message.step == 6
    return message


@pytest.mark.parametrize(('label', 'kind'), [
    (np.uint8, PointField.UINT8), (np.uint16, PointField.UINT16)])
def test_the_fields_are_where_the_values_are(label: type, kind: int) -> None:
    told = [(each.name, each.offset, each.datatype, each.count)
            for each in fields(point_dtype(np.dtype(label)))]
    real = PointField.FLOAT32
    assert told == [('x', 0, real, 1), ('y', 4, real, 1), ('z', 8, real, 1), ('rgb', 12, real, 1),
                    ('label', 16, kind, 1), ('confidence', 20, real, 1)]


@needs_sensor_msgs_py
def test_a_cloud_is_organised_as_the_image_is() -> None:
    points = np.zeros((2, 3), point_dtype(np.dtype(np.uint8)))
    points['label'] = MASK
    cloud = to_cloud(points, header(5))
    assert cloud.header == header(5)
    assert (cloud.height, cloud.width) == (2, 3)
    assert (cloud.point_step, cloud.row_step, len(cloud.data)) == (24, 72, 144)
    assert not cloud.is_dense
    second_row = np.frombuffer(cloud.data, np.uint8)[cloud.row_step:]
    assert second_row[16::24].tolist() == [7, 8, 9]


@pytest.mark.skipif(find_spec('sensor_msgs_py') is not None, reason='sensor_msgs_py is installed')
def test_without_sensor_msgs_py_that_is_said_once(
    pair: Pair, capfd: pytest.CaptureFixture,
) -> None:
    points = Points(pair.node)
    pair.activate()
    points.publish(labelled(100))
    assert not points.wanted
    assert capfd.readouterr().err.count(f'no {TOPIC}: sensor_msgs_py is not installed') == 1
    assert pair.node.count_publishers(TOPIC) == 0


class Scene:
    """Points of an active node, the cameras that it may listen to, and who hears the clouds."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.points = Points(pair.node)
        pair.activate()
        self.depth = pair.listener.create_publisher(Image, 'depth', IMAGE_OUT)
        self.info = pair.listener.create_publisher(CameraInfo, 'camera_info', IMAGE_OUT)

    def listen(self) -> list[PointCloud2]:
        """Hear clouds; on return the intrinsics and a depth image of stamp 0 have come."""
        heard = self.pair.hear(PointCloud2, TOPIC, IMAGE_OUT)
        self.pair.until(lambda: self.depth.get_subscription_count()
                        and self.info.get_subscription_count())
        self.info.publish(INFO)
        self.show(0)
        return heard

    def show(self, stamp_ms: int, frame_id: str = 'front') -> None:
        self.depth.publish(depth(stamp_ms, frame_id))
        self.pair.until(lambda: self.points._depth.at(stamp_ms * MM, final=False))


@needs_sensor_msgs_py
def test_the_cloud_of_an_image_and_its_depth(pair: Pair) -> None:
    scene = Scene(pair)
    clouds = scene.listen()
    scene.show(100)
    scene.points.publish(labelled(100))
    pair.until(lambda: clouds)
    cloud, = clouds
    assert cloud.header == header(100)
    assert (cloud.height, cloud.width) == (2, 3)
    points = np.frombuffer(cloud.data, point_dtype(np.dtype(np.uint8))).reshape(2, 3)
    assert points['label'].tolist() == MASK.tolist()
    assert points['confidence'].tolist() == [[0.0, 0.5, 1.0], [0.25, 0.5, 0.75]]
    assert np.isnan(points['x']).tolist() == [[False, True, False], [False] * 3]
    assert points[1, 2].item()[:3] == (2.0, 0.5, 4.0)
    assert points['rgb'][1, 2].tobytes() == np.uint32(0x010203).tobytes()


@needs_sensor_msgs_py
def test_depth_is_listened_to_while_somebody_listens_to_points(pair: Pair) -> None:
    scene = Scene(pair)
    scene.points.publish(labelled(100))
    assert not scene.points.wanted
    scene.listen()
    pair.listener.destroy_subscription(next(
        each for each in pair.listener.subscriptions if each.topic_name == f'/{TOPIC}'))
    pair.until(lambda: not scene.depth.get_subscription_count())
    scene.points.publish(labelled(200))
    scene.listen()
    pair.node.trigger_deactivate()
    pair.until(lambda: not scene.depth.get_subscription_count())
    assert scene.points.status() == {'published': 0, 'dropped': 0, 'bad_messages': 0}


@needs_sensor_msgs_py
def test_an_image_waits_for_depth_that_comes_later(pair: Pair) -> None:
    scene = Scene(pair)
    clouds = scene.listen()
    scene.points.publish(labelled(100))
    scene.show(100)
    scene.points.publish(labelled(133))
    pair.until(lambda: clouds)
    scene.show(133)
    scene.points.publish(labelled(166))
    pair.until(lambda: len(clouds) == 2)
    assert [cloud.header for cloud in clouds] == [header(100), header(133)]
    assert scene.points.status()['dropped'] == 0


@needs_sensor_msgs_py
def test_images_without_depth_are_counted_and_after_a_while_that_is_said(
    pair: Pair, capfd: pytest.CaptureFixture,
) -> None:
    scene = Scene(pair)
    scene.listen()
    for number in range(12):
        scene.points.publish(labelled(100 + number))
    assert scene.points.status() == {'published': 0, 'dropped': 9, 'bad_messages': 0}
    assert TOPIC not in capfd.readouterr().err
    for number in range(12, 24):
        scene.points.publish(labelled(100 + number))
    assert scene.points.status()['dropped'] == 21
    said = capfd.readouterr().err
    assert said.count('/depth must have an image within 50 ms of every camera image') == 1


@needs_sensor_msgs_py
def test_depth_of_another_frame_is_not_taken_for_the_cameras(
    pair: Pair, capfd: pytest.CaptureFixture,
) -> None:
    scene = Scene(pair)
    clouds = scene.listen()
    for stamp_ms in range(100, 1000, 60):
        scene.show(stamp_ms, frame_id='depth_optical')
        scene.points.publish(labelled(stamp_ms))
    assert scene.points.status()['dropped'] == 15
    assert clouds == []
    assert "must be in the camera's frame 'front', got 'depth_optical'" in capfd.readouterr().err
