"""Bags of every kind are read; what is written is read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from bag_messages import (
    HEIGHT,
    STAMPS_NS,
    STORE,
    WIDTH,
    cdr,
    header,
    image_message,
    jpeg_message,
    label,
    picture,
    write,
)
from ditta_ros.evaluation.bags import (
    IMAGE_TOPIC,
    TRUTH_TOPIC,
    BagError,
    BagWriter,
    bag_source,
)
from ditta_ros.evaluation.source import SourceError


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
