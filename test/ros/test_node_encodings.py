"""Every encoding that a camera may have, over DDS: the node labels what the engine labels."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from ditta_ros.frame import Frame
from ditta_ros.opening import open_session
from ditta_ros.ros.messages import ENCODINGS, PLANAR, compressed_to_rgb, to_rgb
from ditta_ros.session import Session
from ditta_ros.settings import from_flat
from images import LOSSLESS, compress, encode
from live_node import Camera, camera_before, given, header, picture, reliable, running_node

PICTURES = 20  # of each encoding
SIZES_PX = ((48, 64), (64, 48), (72, 96))
VALUES = given('warm_up.amount:=0', 'segmenter.device:=cpu')


@pytest.fixture(scope='module')
def camera(domain_id: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A camera whose images are sensor_msgs/Image."""
    log = tmp_path_factory.mktemp('raw') / 'log.txt'
    with (
        running_node(log, *VALUES, *reliable()) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        camera.await_node()
        yield camera


@pytest.fixture(scope='module')
def compressed_camera(
    domain_id: int, tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Camera]:
    """A camera, in a namespace of its own, whose images are sensor_msgs/CompressedImage."""
    log = tmp_path_factory.mktemp('compressed') / 'log.txt'
    arguments = ['-r', '__ns:=/coded', *given('image_transport:=compressed')]
    with (
        running_node(log, *VALUES, *arguments, *reliable('/coded/image/compressed')) as process,
        camera_before(process, log, domain_id, namespace='/coded', kind=CompressedImage,
                      topic='image/compressed') as camera,
    ):
        camera.await_node()
        yield camera


@pytest.fixture(scope='module')
def engine() -> Session:
    return open_session(from_flat({'warm_up.amount': 0.0, 'segmenter.device': 'cpu'}))


@pytest.fixture(scope='module')
def pictures() -> list[np.ndarray]:
    """Pictures of the demo world, uint8 [H, W, 3], of changing sizes."""
    return [
        cv2.resize(picture(index), SIZES_PX[index % 3][::-1], interpolation=cv2.INTER_AREA)
        for index in range(PICTURES)]


def assert_labelled(
    camera: Camera, message: Image | CompressedImage, rgb: np.ndarray, engine: Session,
) -> None:
    """The node's answer to ``message`` is what the engine makes of ``rgb``."""
    mask, confidence = camera.show(message)
    expected = engine.feed(Frame.from_array(rgb))
    for answer, values in (
            (mask, expected.label), (confidence, (expected.reliability * 255).round().byte())):
        assert answer.header == message.header
        assert (answer.encoding, answer.step) == ('mono8', rgb.shape[1])
        np.testing.assert_array_equal(
            np.frombuffer(answer.data, np.uint8).reshape(rgb.shape[:2]), values.numpy())


@pytest.mark.parametrize('encoding', [*ENCODINGS, *PLANAR])
def test_an_image_gets_the_engines_labels(
    encoding: str, camera: Camera, engine: Session, pictures: list[np.ndarray],
) -> None:
    for index, rgb in enumerate(pictures):
        sent = encode(
            rgb, encoding, header(index), padding_bytes=(0, 7, 16)[index % 3],
            is_bigendian=index % 2 == 1)
        seen = to_rgb(sent)
        if encoding in LOSSLESS:
            np.testing.assert_array_equal(seen, rgb)
        assert_labelled(camera, sent, seen, engine)


@pytest.mark.parametrize('form', ['jpeg', 'png'])
def test_a_compressed_image_gets_the_engines_labels(
    form: str, compressed_camera: Camera, engine: Session, pictures: list[np.ndarray],
) -> None:
    for index, rgb in enumerate(pictures):
        sent = compress(rgb, form, header(index))
        seen = compressed_to_rgb(sent)
        if form == 'png':
            np.testing.assert_array_equal(seen, rgb)
        assert_labelled(compressed_camera, sent, seen, engine)


def test_an_encoding_that_changes_with_each_image_is_followed(
    camera: Camera, engine: Session, pictures: list[np.ndarray],
) -> None:
    before = camera.status.get('frames_labelled', 0)
    for index, encoding in enumerate([*ENCODINGS, *PLANAR]):
        sent = encode(pictures[index % PICTURES], encoding, header(index))
        assert_labelled(camera, sent, to_rgb(sent), engine)
    camera.until(
        lambda: camera.status['frames_labelled'] >= before + len(ENCODINGS) + len(PLANAR),
        'count of the images')
    assert not any(camera.status['dropped'].values())
    assert camera.status['frames_received'] == camera.status['frames_labelled']
