"""Depth images and intrinsics: read, refused, kept and found by stamp."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rclpy.context import Context
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from ditta_ros.cloud import Pinhole
from ditta_ros.ros.depth import KEPT, DepthCamera, to_depth, to_pinhole
from ditta_ros.ros.messages import MessageError
from ditta_ros.ros.qos import IMAGE_OUT
from listening import Pair

MM = 1_000_000  # ns
K = [500.0, 0.0, 320.0, 0.0, 400.0, 240.0, 0.0, 0.0, 1.0]
P = [510.0, 0.0, 321.0, 0.0, 0.0, 410.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def depth_image(pixels: np.ndarray, padding: int = 0, stamp_ms: int = 0) -> Image:
    """Make a message of uint16 or float32 [H, W] in its own byte order, with padded rows."""
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
    big = pixels.dtype.newbyteorder('=') != pixels.dtype
    return Image(
        header=Header(stamp=Time(nanosec=stamp_ms * MM), frame_id='front'),
        height=pixels.shape[0], width=pixels.shape[1], step=data.shape[1],
        encoding='16UC1' if pixels.dtype.kind == 'u' else '32FC1', is_bigendian=int(big),
        data=array('B', data.tobytes()))


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('kind', ['<u2', '>u2', '<f4', '>f4'])
def test_depth_is_in_metres_whatever_its_byte_order_and_step(kind: str, padding: int) -> None:
    metres = np.array([[0.0, 1.5, 0.25], [65.0, 2.0, 0.001]], np.float32)
    pixels = (metres * 1000 if kind.endswith('u2') else metres).astype(kind)
    depth = to_depth(depth_image(pixels, padding, stamp_ms=5))
    assert (depth.stamp_ns, depth.frame_id) == (5 * MM, 'front')
    assert depth.metres().dtype == np.float32
    np.testing.assert_allclose(depth.metres(), metres, rtol=1e-6)


def test_unknown_depth_stays_unknown() -> None:
    metres = to_depth(depth_image(np.array([[np.nan, np.inf]], '<f4'))).metres()
    assert np.isnan(metres[0, 0])
    assert np.isinf(metres[0, 1])


GOOD = {'height': 2, 'width': 3, 'encoding': '16UC1', 'step': 6, 'data': array('B', bytes(12))}


@pytest.mark.parametrize(('changes', 'said'), [
    ({'encoding': 'mono8'}, "must be 16UC1 .* got 'mono8': convert it"),
    ({'encoding': 'x' * 1000}, "got 'x{40}': convert it"),
    ({'encoding': '32FC1'}, 'must have step >= 12 and'),
    ({'step': 5}, 'must have step >= 6 .* got step 5'),
    ({'data': array('B', bytes(11))}, 'got step 6 and 11 bytes'),
    ({'height': 3}, 'got step 6 and 12 bytes'),
    ({'width': 0}, '16UC1 of 0 x 2 pixels'),
    ({'height': 0, 'data': array('B')}, '16UC1 of 3 x 0 pixels'),
])
def test_depth_that_contradicts_itself_is_refused(changes: dict, said: str) -> None:
    to_depth(Image(**GOOD))
    with pytest.raises(MessageError, match=said):
        to_depth(Image(**{**GOOD, **changes}))


def test_no_depth_image_raises_anything_but_message_error() -> None:
    random_ = random.Random(0)
    read = refused = 0
    for _ in range(3000):
        height, width, step = (random_.randint(0, high) for high in (5, 6, 30))
        size = max(height * step + random_.choice([0, 0, 0, -1, 1]), 0)
        message = Image(
            header=Header(stamp=Time(sec=random_.randint(-2**31, 2**31 - 1), nanosec=5)),
            height=height, width=width, step=step, is_bigendian=random_.randint(0, 255),
            encoding=random_.choice(['16UC1', '32FC1', '', 'mono16']),
            data=array('B', random_.randbytes(size)))
        try:
            depth = to_depth(message)
        except MessageError:
            refused += 1
        else:
            read += 1
            assert depth.metres().shape == (height, width)
            assert depth.stamp_ns == message.header.stamp.sec * 10**9 + 5
    assert read > 100
    assert refused > 100


def info(**changes) -> CameraInfo:
    return CameraInfo(**{'height': 480, 'width': 640, 'k': K, 'p': P, **changes})


def test_the_intrinsics_are_those_of_the_rectified_image_or_of_the_only_one() -> None:
    assert to_pinhole(info()) == Pinhole((480, 640), 510.0, 410.0, 321.0, 241.0)
    assert to_pinhole(info(p=[0.0] * 12)) == Pinhole((480, 640), 500.0, 400.0, 320.0, 240.0)


def test_a_part_of_the_sensor_has_its_own_origin() -> None:
    part = RegionOfInterest(x_offset=100, y_offset=40, width=320, height=200)
    assert to_pinhole(info(roi=part)) == Pinhole((200, 320), 510.0, 410.0, 221.0, 201.0)


@pytest.mark.parametrize('changes', [
    {'height': 0}, {'width': 0}, {'k': [0.0] * 9, 'p': [0.0] * 12},
    {'p': [np.nan, *P[1:]]}, {'p': [-510.0, *P[1:]]}, {'p': [*P[:2], np.inf, *P[3:]]}])
def test_an_uncalibrated_camera_is_refused(changes: dict) -> None:
    with pytest.raises(MessageError, match='must have a size and focal lengths .* calibrate'):
        to_pinhole(info(**changes))


@pytest.fixture
def pair(context: Context) -> Iterator[Pair]:
    pair = Pair(context)
    yield pair
    pair.close()


class Scene:
    """A DepthCamera, and the publishers that it listens to."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.camera = DepthCamera(pair.node)
        self.depth = pair.listener.create_publisher(Image, 'depth', IMAGE_OUT)
        self.info = pair.listener.create_publisher(CameraInfo, 'camera_info', IMAGE_OUT)

    def connect(self) -> None:
        self.camera.subscribe()
        self.pair.until(lambda: self.depth.get_subscription_count() == 1
                        and self.info.get_subscription_count() == 1)

    def show(self, *stamps_ms: int) -> None:
        """Publish depth images of 1 x 1 pixel; the last has arrived on return."""
        for stamp_ms in stamps_ms:
            self.depth.publish(depth_image(np.array([[stamp_ms]], '<u2'), stamp_ms=stamp_ms))
        self.pair.until(lambda: self.at(stamps_ms[-1]) == stamps_ms[-1])

    def at(self, stamp_ms: int, final: bool = False) -> int | None:
        """Return the stamp, in ms, of the depth image found."""
        found = self.camera.at(stamp_ms * MM, final)
        return None if found is None else found[0].stamp_ns // MM


def test_the_same_stamp_is_found_or_the_nearest_that_is_near(pair: Pair) -> None:
    scene = Scene(pair)
    scene.connect()
    scene.info.publish(info())
    scene.show(100, 200, 230, 400)
    assert scene.camera.at(200 * MM, final=False)[1] == to_pinhole(info())
    assert [scene.at(stamp) for stamp in (100, 200, 400)] == [100, 200, 400]
    assert [scene.at(stamp) for stamp in (50, 49, 150, 151, 216, 300)] == [
        100, None, 100, 200, 230, None]
    # A nearer one may still come.
    assert scene.at(410) is None
    assert scene.at(410, final=True) == 400
    assert scene.at(451, final=True) is None


def test_without_intrinsics_there_is_no_depth_and_that_is_said(pair: Pair) -> None:
    scene = Scene(pair)
    scene.connect()
    assert '/camera_info must give the intrinsics' in scene.camera.missing()
    scene.depth.publish(depth_image(np.array([[7]], '<u2'), stamp_ms=100))
    scene.info.publish(info())
    pair.until(lambda: scene.at(100) == 100)
    assert '/depth must have an image within 50 ms' in scene.camera.missing()


def test_the_last_few_are_kept_and_those_of_a_stream_that_began_again(pair: Pair) -> None:
    scene = Scene(pair)
    scene.connect()
    scene.info.publish(info())
    for number in range(KEPT + 1):
        scene.show(100 + 10 * number)
    assert scene.at(100) == 110
    scene.show(20)
    assert scene.at(110, final=True) is None


def test_bad_messages_are_counted_and_do_not_end_anything(
    pair: Pair, capfd: pytest.CaptureFixture,
) -> None:
    scene = Scene(pair)
    scene.connect()
    scene.info.publish(info(width=0))
    scene.info.publish(info())
    for _ in range(2):
        scene.depth.publish(Image(**{**GOOD, 'step': 5}))
    scene.show(100)
    pair.until(lambda: scene.camera.bad_messages == 3)
    said = capfd.readouterr().err
    assert said.count('/depth dropped: 16UC1 of 3 x 2 pixels must have step >= 6') == 1
    assert said.count('/camera_info dropped') + said.count('/depth dropped') <= 2


def test_it_listens_while_wanted_and_forgets(pair: Pair) -> None:
    scene = Scene(pair)
    for _ in range(3):
        scene.connect()
        scene.camera.subscribe()  # once more changes nothing
        scene.info.publish(info())
        scene.show(100)
        scene.camera.unsubscribe()
        pair.until(lambda: scene.depth.get_subscription_count() == 0
                   and scene.info.get_subscription_count() == 0)
        assert scene.at(100) is None
