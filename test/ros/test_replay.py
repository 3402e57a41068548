from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from ditta_ros.evaluation.bags import BagWriter
from ditta_ros.ros.replay import (
    Recording,
    ReplayError,
    play_command,
    positive_rate,
    read_recording,
    record_command,
    warm_up_parameters,
)
from ditta_ros.settings import from_flat

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return tmp_path / 'drive'


def write_metadata(bag: Path, *topics: tuple[str, str, int]) -> None:
    """Write metadata as ros2 bag record does, less what is not read."""
    bag.mkdir()
    (bag / 'metadata.yaml').write_text(yaml.safe_dump({'rosbag2_bagfile_information': {
        'version': 9, 'storage_identifier': 'mcap', 'topics_with_message_count': [
            {'topic_metadata': {'name': name, 'type': kind, 'serialization_format': 'cdr',
                                'offered_qos_profiles': []}, 'message_count': count}
            for name, kind, count in topics]}}))


def recording(topic: str = '/camera/image_raw', compressed: bool = False) -> Recording:
    return Recording(Path('drive'), topic, compressed, 90, (topic, '/tf'))


def test_the_metadata_of_a_bag_written_here_are_read(bag: Path) -> None:
    with BagWriter(bag) as writer:
        for index in range(7):
            image = np.zeros((4, 6, 3), np.uint8)
            writer.image('/camera/image_raw', index * 10**8, 'camera', image)
            writer.image('/camera/label', index * 10**8, 'camera', image[:, :, 0])
    assert read_recording(bag) == Recording(
        bag, '/camera/image_raw', False, 7, ('/camera/image_raw', '/camera/label'))


def test_what_the_node_publishes_and_the_clock_are_not_played(bag: Path) -> None:
    write_metadata(
        bag, ('/camera/image_raw', IMAGE, 30), ('/tf', 'tf2_msgs/msg/TFMessage', 4),
        ('/clock', 'rosgraph_msgs/msg/Clock', 9), ('/segmentation/mask', IMAGE, 30),
        ('/segmentation/status', 'std_msgs/msg/String', 3), ('/empty', IMAGE, 0))
    with pytest.raises(ReplayError, match='got /camera/image_raw, /empty'):
        read_recording(bag)
    found = read_recording(bag, '/camera/image_raw')
    assert (found.images, found.played) == (30, ('/camera/image_raw', '/tf'))


@pytest.mark.parametrize(('topic', 'image', 'heard'), [
    ('/camera/image_raw/compressed', '/camera/image_raw', '/camera/image_raw/compressed'),
    ('/camera/jpeg', '/camera/jpeg', '/camera/jpeg/compressed'),
])
def test_compressed_images_are_played_where_the_node_listens(
    bag: Path, topic: str, image: str, heard: str,
) -> None:
    write_metadata(bag, (topic, COMPRESSED, 12))
    found = read_recording(bag)
    assert found.compressed
    assert (found.image, found.heard) == (image, heard)
    command = ' '.join(play_command(found, 1.0, loop=False))
    assert (f'--remap {topic}:={heard}' in command) == (topic != heard)


def test_several_cameras_are_told_and_one_can_be_named(bag: Path) -> None:
    write_metadata(bag, ('/front/image', IMAGE, 3), ('/left/image', IMAGE, 5))
    with pytest.raises(ReplayError, match='several of images, got /front/image, /left/image'):
        read_recording(bag)
    assert read_recording(bag, '/left/image').images == 5
    with pytest.raises(ReplayError, match='got /right/image: give one of /front/image, '):
        read_recording(bag, '/right/image')


def test_a_bag_without_images_is_refused(bag: Path) -> None:
    write_metadata(bag, ('/scan', 'sensor_msgs/msg/LaserScan', 3))
    with pytest.raises(ReplayError, match='must hold images of a camera, got none'):
        read_recording(bag)


def test_an_empty_topic_is_refused(bag: Path) -> None:
    write_metadata(bag, ('/camera/image_raw', IMAGE, 0))
    with pytest.raises(ReplayError, match='topic must have images .*: give one of none'):
        read_recording(bag)


@pytest.mark.parametrize('content', [
    '', '[]', 'a: b', '{unclosed', 'rosbag2_bagfile_information: {topics_with_message_count: 3}',
    'rosbag2_bagfile_information: {topics_with_message_count: [{message_count: many}]}', '\x00'])
def test_broken_metadata_are_refused_in_a_line(bag: Path, content: str) -> None:
    bag.mkdir()
    (bag / 'metadata.yaml').write_text(content)
    with pytest.raises(ReplayError, match=r'metadata\.yaml: cannot be read .* reindex') as raised:
        read_recording(bag)
    assert '\n' not in str(raised.value)


def test_metadata_cannot_run_code(bag: Path) -> None:
    bag.mkdir()
    (bag / 'metadata.yaml').write_text('!!python/object/apply:os.getcwd []')
    with pytest.raises(ReplayError, match='it may have no tags'):
        read_recording(bag)


def test_a_folder_is_asked_for(bag: Path) -> None:
    with pytest.raises(ReplayError, match='is not there'):
        read_recording(bag)
    bag.mkdir()
    with pytest.raises(ReplayError, match=f'ros2 bag reindex {bag}'):
        read_recording(bag)
    file = bag / 'drive_0.mcap'
    file.touch()
    with pytest.raises(ReplayError, match=r'got the file .*drive_0.mcap: put it into a folder'):
        read_recording(file)
    (bag / 'metadata.yaml').touch()
    with pytest.raises(ReplayError, match=f'give bag:={bag}$'):
        read_recording(file)


def test_the_bag_is_played_with_its_clock() -> None:
    assert play_command(recording(), 0.5, loop=False) == [
        'ros2', 'bag', 'play', 'drive', '--clock', '--rate', '0.5', '--delay', '2', '--topics',
        '/camera/image_raw', '/tf']
    assert '--loop' in play_command(recording(), 1.0, loop=True)


@pytest.mark.parametrize(('with_images', 'taken'), [
    (False, {'/segmentation/mask', '/segmentation/confidence', '/segmentation/status',
             '/segmentation/label_info'}),
    (True, {'/segmentation/mask', '/segmentation/confidence', '/segmentation/status',
            '/segmentation/label_info', '/camera/image_raw'}),
])
def test_the_results_are_recorded(tmp_path: Path, with_images: bool, taken: set[str]) -> None:
    command = record_command(tmp_path / 'out', recording(), with_images)
    assert command[:-1] == [
        'ros2', 'bag', 'record', '-s', 'mcap', '-o', str(tmp_path / 'out'), '--regex']
    assert {topic for topic in (
        '/segmentation/mask', '/segmentation/confidence', '/segmentation/status',
        '/segmentation/label_info', '/segmentation/overlay', '/segmentation/points',
        '/camera/image_raw', '/camera/image_raw/compressed', '/front/segmentation/mask',
    ) if re.search(command[-1], topic)} == taken


def test_a_recording_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match='output must not exist'):
        record_command(tmp_path, recording(), with_images=False)


def test_the_rate_is_a_number_above_zero() -> None:
    assert positive_rate('0.25') == 0.25
    for text in ('0', '-1', 'nan', 'inf', 'fast', ''):
        with pytest.raises(ReplayError, match='rate must be a number > 0'):
            positive_rate(text)


def test_the_warm_up_is_a_share_of_the_bag() -> None:
    parameters = warm_up_parameters('12.5', recording())
    assert parameters == {
        'warm_up.unit': 'percent', 'warm_up.amount': 12.5, 'warm_up.stream_length_frames': 90}
    assert from_flat(parameters).warm_up.amount == 12.5
    for text in ('-1', '101', 'nan', 'tenth'):
        with pytest.raises(ReplayError, match='warm_up_percent must be a number from 0 to 100'):
            warm_up_parameters(text, recording())
