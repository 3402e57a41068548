"""Damaged bags: what can be read of them is read, the rest is counted or refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin

from bag_messages import STAMPS_NS, cdr, image_message, jpeg_message, label, picture, raw, write
from ditta_ros.evaluation.bags import IMAGE_TOPIC, BagWriter, bag_source
from ditta_ros.evaluation.source import SourceError, SourceFrame


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
