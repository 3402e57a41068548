"""Bags of every kind are read; what is written is read back as it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from ditta_ros.evaluation.bags import (
    IMAGE_TOPIC,
    TRUTH_TOPIC,
    BagError,
    BagWriter,
    bag_source,
)
from ditta_ros.evaluation.source import SourceError, SourceFrame

STORE = get_typestore(Stores.ROS2_HUMBLE)
HEIGHT, WIDTH = 6, 10
STAMPS_NS = [5 * 10**9, 5 * 10**9 + 40_000_000, 6 * 10**9 + 1]


def picture(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def label(index: int) -> np.ndarray:
    return np.random.default_rng(index + 100).integers(0, 12, (HEIGHT, WIDTH), np.uint8)


def image_message(stamp_ns: int, encoding: str, array: np.ndarray, padding: int = 0) -> Any:
    rows = array.reshape(HEIGHT, -1)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return STORE.types['sensor_msgs/msg/Image'](
        header=header(stamp_ns), height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=0,
        step=data.shape[1], data=data.reshape(-1))


def jpeg_message(stamp_ns: int, suffix: str, rgb: np.ndarray) -> Any:
    data = cv2.imencode(f'.{suffix}', rgb[:, :, ::-1])[1]
    return STORE.types['sensor_msgs/msg/CompressedImage'](
        header=header(stamp_ns), format=suffix, data=data.reshape(-1))


def header(stamp_ns: int) -> Any:
    types = STORE.types
    return types['std_msgs/msg/Header'](
        stamp=types['builtin_interfaces/msg/Time'](
            sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9), frame_id='front')


def cdr(message: Any) -> bytes:
    return bytes(STORE.serialize_cdr(message, message.__msgtype__))


def raw(kind: str, data: bytes) -> Any:
    """Return bytes to be recorded as a message of a kind, whatever they are."""
    return SimpleNamespace(__msgtype__=kind, raw=data)


def write(path: Path, messages: list[tuple[str, Any]],
          plugin: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """Write messages in this order, recorded a second apart, whatever their stamps."""
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections: dict[str, Any] = {}
        for second, (topic, message) in enumerate(messages):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            data = message.raw if hasattr(message, 'raw') else cdr(message)
            writer.write(connections[topic], second * 10**9, data)
    return path


def test_round_trip(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag:
        for index, stamp_ns in enumerate(STAMPS_NS):
            bag.image(IMAGE_TOPIC, stamp_ns, 'front', picture(index))
            bag.image(TRUTH_TOPIC, stamp_ns, 'front', label(index))
            bag.jpeg('/segmentation/overlay/compressed', stamp_ns, 'front', picture(index))
    source = bag_source(tmp_path / 'bag')
    frames = list(source)
    assert (source.length_frames, source.has_truth) == (3, True)
    assert source.rate_hz == pytest.approx(2.0)  # three frames over a second
    for index, (frame, stamp_ns) in enumerate(zip(frames, STAMPS_NS, strict=True)):
        assert (frame.stamp_ns, frame.frame_id) == (stamp_ns, 'front')
        np.testing.assert_array_equal(frame.rgb, picture(index))
        np.testing.assert_array_equal(frame.label, label(index))


@pytest.mark.parametrize('plugin', StoragePlugin)
@pytest.mark.parametrize('kind', ['rgb8', 'bgr8', 'mono8', 'padded', 'png'])
def test_kinds_of_bags(tmp_path: Path, plugin: StoragePlugin, kind: str) -> None:
    rgb = picture(0)
    grey = np.ascontiguousarray(rgb[:, :, 0])
    message, expected = {
        'rgb8': (image_message(STAMPS_NS[0], 'rgb8', rgb), rgb),
        'bgr8': (image_message(STAMPS_NS[0], 'bgr8', rgb[:, :, ::-1]), rgb),
        'mono8': (image_message(STAMPS_NS[0], 'mono8', grey), np.stack([grey] * 3, axis=2)),
        'padded': (image_message(STAMPS_NS[0], 'rgb8', rgb, padding=5), rgb),
        'png': (jpeg_message(STAMPS_NS[0], 'png', rgb), rgb),
    }[kind]
    path = write(tmp_path / 'bag', [('/front/image', message)], plugin)
    frames = list(bag_source(path))
    assert [frame.stamp_ns for frame in frames] == STAMPS_NS[:1]
    np.testing.assert_array_equal(frames[0].rgb, expected)


def test_bare_files_without_metadata(tmp_path: Path) -> None:
    for plugin, suffix in ((StoragePlugin.MCAP, 'mcap'), (StoragePlugin.SQLITE3, 'db3')):
        path = write(tmp_path / suffix, [
            ('/image', image_message(STAMPS_NS[0], 'rgb8', picture(0)))], plugin)
        file = next(path.glob(f'*.{suffix}'))
        np.testing.assert_array_equal(next(iter(bag_source(file))).rgb, picture(0))


def test_a_bag_that_defines_images_otherwise_is_refused(tmp_path: Path) -> None:
    message = image_message(STAMPS_NS[0], 'rgb8', picture(0))
    kind = message.__msgtype__
    definition = STORE.generate_msgdef(kind)[0].replace('height', 'tallness')
    other = get_typestore(Stores.EMPTY)
    other.register(get_types_from_msg(definition, kind))
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            '/image', kind, msgdef=definition, rihs01=other.hash_rihs01(kind))
        writer.write(connection, 0, cdr(message))
    with pytest.raises(SourceError, match=r'bag: .*its definition of sensor_msgs/msg/Image must'):
        bag_source(tmp_path / 'bag')


def test_labels_are_matched_by_stamp(tmp_path: Path) -> None:
    """Truth that comes late, is missing, or belongs to no image."""
    messages = [('/image', image_message(stamp, 'rgb8', picture(index)))
                for index, stamp in enumerate(STAMPS_NS)]
    messages.insert(0, ('/truth', image_message(1, 'mono8', label(9))))
    messages += [('/truth', image_message(STAMPS_NS[index], 'mono8', label(index)))
                 for index in (2, 0)]
    frames = list(bag_source(write(tmp_path / 'bag', messages), '/image', '/truth'))
    assert [frame.stamp_ns for frame in frames] == STAMPS_NS
    np.testing.assert_array_equal(frames[0].label, label(0))
    assert frames[1].label is None
    np.testing.assert_array_equal(frames[2].label, label(2))


def test_an_image_does_not_wait_for_ever_for_its_label(tmp_path: Path) -> None:
    messages = [('/image', image_message(index + 1, 'rgb8', picture(index)))
                for index in range(40)]
    messages.append(('/truth', image_message(40, 'mono8', label(39))))
    frames = list(bag_source(write(tmp_path / 'bag', messages), '/image', '/truth'))
    assert [frame.stamp_ns for frame in frames] == list(range(1, 41))
    assert [frame.label is not None for frame in frames] == [False] * 39 + [True]


def test_which_topic(tmp_path: Path) -> None:
    path = write(tmp_path / 'bag', [
        ('/left', image_message(1, 'rgb8', picture(0))),
        ('/right', image_message(1, 'rgb8', picture(1))),
        ('/info', header(1))])
    with pytest.raises(SourceError, match='--topic, got /left, /right'):
        bag_source(path)
    with pytest.raises(SourceError, match='no images on topic /info; it has /left, /right'):
        bag_source(path, '/info')
    np.testing.assert_array_equal(next(iter(bag_source(path, '/right'))).rgb, picture(1))


def test_a_bag_without_images(tmp_path: Path) -> None:
    path = write(tmp_path / 'bag', [('/info', header(1))])
    with pytest.raises(SourceError, match='which topic.*got none'):
        bag_source(path)


def test_an_encoding_nobody_reads_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / 'bag', [('/image', image_message(1, 'plaid8', picture(0)))])
    with pytest.raises(SourceError, match=r'no frame .* is /image, message 0: .*plaid8'):
        list(bag_source(path))


@pytest.mark.parametrize('plugin', StoragePlugin)
def test_damaged_messages_are_skipped_and_counted(tmp_path: Path, plugin: StoragePlugin) -> None:
    """Whose content contradicts itself, whose jpeg is cut, whose bytes are cut, or all noise."""
    cut = jpeg_message(3, 'png', picture(2))
    cut.data = cut.data[:len(cut.data) // 2]
    contradicts = image_message(2, 'rgb8', picture(1))
    contradicts.width += 1
    good = [image_message(stamp, 'rgb8', picture(stamp)) for stamp in (1, 4, 6)]
    messages: list[tuple[str, Any]] = [
        ('/image', good[0]), ('/image', contradicts), ('/image', good[1]),
        ('/image', raw('sensor_msgs/msg/Image', cdr(good[0])[:-7])),
        ('/image', raw('sensor_msgs/msg/Image', b'')),
        ('/image', raw('sensor_msgs/msg/Image', bytes(range(256)))),
        ('/image', good[2])]
    source = bag_source(write(tmp_path / 'bag', messages, plugin))
    assert [frame.stamp_ns for frame in source] == [1, 4, 6]
    assert source.length_frames == 7
    assert sum(source.skipped.values()) == 4
    coded = write(tmp_path / 'coded', [
        ('/image', cut), ('/image', jpeg_message(4, 'png', picture(3)))], plugin)
    source = bag_source(coded)
    assert [frame.stamp_ns for frame in source] == [4]
    assert list(source.skipped.values()) == [1]


def test_no_bytes_of_a_message_end_the_reading(tmp_path: Path) -> None:
    """Any byte of the head of a message is overwritten; the next message is read all the same."""
    whole, random = cdr(image_message(1, 'rgb8', picture(0))), np.random.default_rng(0)
    messages: list[tuple[str, Any]] = []
    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(0, 60, 3):
            data[place] = random.integers(256)
        messages.append(('/image', raw('sensor_msgs/msg/Image', bytes(data))))
    messages.append(('/image', image_message(7, 'rgb8', picture(7))))
    source = bag_source(write(tmp_path / 'bag', messages))
    last = None
    for frame in source.read():
        last = frame
    assert isinstance(last, SourceFrame)
    np.testing.assert_array_equal(last.rgb, picture(7))


def test_a_damaged_label_leaves_its_image(tmp_path: Path) -> None:
    messages: list[tuple[str, Any]] = []
    for index, stamp in enumerate(STAMPS_NS):
        truth = image_message(stamp, 'mono8', label(index))
        messages += [('/image', image_message(stamp, 'rgb8', picture(index))),
                     ('/truth', raw(truth.__msgtype__, cdr(truth)[:30]) if index == 1 else truth)]
    source = bag_source(write(tmp_path / 'bag', messages), '/image', '/truth')
    assert [frame.label is not None for frame in source] == [True, False, True]
    assert sum(source.skipped.values()) == 1


def test_a_damaged_chunk_is_skipped_and_counted(tmp_path: Path) -> None:
    """Two images a chunk of a compressed MCAP file, each as large as a camera's."""
    large = np.zeros((400, 500, 3), np.uint8)
    large[:] = np.arange(500)[:, None] % 251  # compresses well, so that damage shows
    with BagWriter(tmp_path / 'bag') as bag:
        for index in range(12):
            bag.image(IMAGE_TOPIC, 10**9 + index, 'front', large + np.uint8(index))
    file = next((tmp_path / 'bag').glob('*.mcap'))
    data = bytearray(file.read_bytes())
    frame = bytes.fromhex('28b52ffd')  # how zstd begins
    starts = [index for index in range(len(data)) if data.startswith(frame, index)]
    assert len(starts) == 6
    for chunk in (0, 3):
        data[starts[chunk]] ^= 255
    file.write_bytes(data)
    source = bag_source(tmp_path / 'bag')
    frames = list(source)
    kept = [index for index in range(12) if index // 2 not in (0, 3)]
    assert [each.stamp_ns - 10**9 for each in frames] == kept
    for index, each in zip(kept, frames, strict=True):
        np.testing.assert_array_equal(each.rgb, large + np.uint8(index))
    assert list(source.skipped.values()) == [4]
    for chunk in (1, 2, 4, 5):
        data[starts[chunk]] ^= 255
    file.write_bytes(data)
    with pytest.raises(SourceError, match='no frame in it that can be read, 12 cannot'):
        list(bag_source(tmp_path / 'bag'))


@pytest.mark.parametrize('plugin', StoragePlugin)
@pytest.mark.parametrize('damage', ['cut', 'emptied', 'overwritten', 'removed', 'metadata'])
def test_damaged_bags(tmp_path: Path, plugin: StoragePlugin, damage: str) -> None:
    path = write(tmp_path / 'bag', [
        ('/image', image_message(index + 1, 'rgb8', picture(index))) for index in range(30)],
        plugin)
    file = next(item for item in path.iterdir() if item.suffix in ('.mcap', '.db3'))
    data = file.read_bytes()
    half = len(data) // 2
    if damage == 'cut':
        file.write_bytes(data[:half])
    elif damage == 'emptied':
        file.write_bytes(b'')
    elif damage == 'overwritten':
        file.write_bytes(bytes(half) + data[half:])
    elif damage == 'removed':
        file.unlink()
    else:
        (path / 'metadata.yaml').write_text('rosbag2_bagfile_information: [')
    with pytest.raises(SourceError, match='cannot be read as a rosbag2: .') as caught:
        list(bag_source(path))
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)


def test_an_error_leaves_a_bag_that_can_be_read(tmp_path: Path) -> None:
    def interrupted() -> None:
        with BagWriter(tmp_path / 'bag') as bag:
            bag.image('/image', STAMPS_NS[0], '', picture(0))
            raise RuntimeError('stop')

    with pytest.raises(RuntimeError, match='stop'):
        interrupted()
    assert [frame.stamp_ns for frame in bag_source(tmp_path / 'bag')] == STAMPS_NS[:1]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(BagError, match='exists already'):
        BagWriter(tmp_path)


def test_only_8_bit_images_are_written(tmp_path: Path) -> None:
    with BagWriter(tmp_path / 'bag') as bag, pytest.raises(ValueError, match='/depth.*float32'):
        bag.image('/depth', 1, '', np.zeros((HEIGHT, WIDTH), np.float32))
