"""What replay.launch.py knows of a bag, and how it plays the bag and records the masks.

Imports nothing but PyYAML, which every ROS installation has: launch files run in its Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ditta_ros.evaluation.topics import COMPRESSED_TYPE, IMAGE_TYPE, camera_topics, is_result
from ditta_ros.plain_yaml import plain_text, plain_value

RECORDED = ('mask', 'confidence', 'label_info', 'status')  # under segmentation/
COMPRESSED_SUFFIX = '/compressed'
# The player waits this long between announcing its topics and the first image, so that the first
# images meet subscribers that have found it.
DISCOVERY_S = 2.0


class ReplayError(ValueError):
    """A bag or an argument of the replay does not work; the message says which and the remedy."""


@dataclass(frozen=True)
class Recording:
    """The images of one camera in a rosbag2.

    ``topic``: as recorded; ``images``: messages on it; ``played``: every topic to play, those
    that the node itself publishes and the clock left out.
    """

    bag: Path
    topic: str
    compressed: bool
    images: int
    played: tuple[str, ...]

    @property
    def image(self) -> str:
        """What the node's ``image`` is remapped to: without /compressed, which it adds."""
        return self.topic.removesuffix(COMPRESSED_SUFFIX) if self.compressed else self.topic

    @property
    def heard(self) -> str:
        """The topic that the node subscribes to."""
        return self.image + COMPRESSED_SUFFIX if self.compressed else self.image


def read_recording(bag: Path, topic: str = '') -> Recording:
    """Return what the metadata of ``bag`` says of its images on ``topic``.

    ``topic``: of sensor_msgs Image or CompressedImage; empty: the only one that is neither truth
    nor a result.  Raises ReplayError.
    """
    counts, types = _topics(bag)
    pictures = [name for name in counts if types[name] in (IMAGE_TYPE, COMPRESSED_TYPE)]
    chosen = topic or _only_camera(bag, pictures)
    if chosen not in pictures or counts[chosen] == 0:
        raise ReplayError(
            f'topic must have images in {bag}, got {chosen}: give one of '
            f'{", ".join(name for name in pictures if counts[name]) or "none"}')
    played = tuple(
        name for name in counts if counts[name] and not is_result(name) and name != '/clock')
    return Recording(bag, chosen, types[chosen] == COMPRESSED_TYPE, counts[chosen], played)


def _only_camera(bag: Path, pictures: list[str]) -> str:
    cameras = camera_topics(pictures)
    if not cameras:
        raise ReplayError(
            f'bag must hold images of a camera, got none in {bag}: record Image or '
            'CompressedImage of sensor_msgs')
    if len(cameras) > 1:
        raise ReplayError(
            f'topic must be given where a bag holds several of images, got {", ".join(cameras)} '
            f'in {bag}: give topic:={cameras[0]}, for example')
    return cameras[0]


def _topics(bag: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Return the number of messages and the type of each topic; raises ReplayError."""
    file = _metadata_file(bag)
    try:
        content: Any = plain_value(plain_text(file))
        listed = content['rosbag2_bagfile_information']['topics_with_message_count']
        counts = {
            str(entry['topic_metadata']['name']): int(entry['message_count']) for entry in listed}
        types = {
            str(entry['topic_metadata']['name']): str(entry['topic_metadata']['type'])
            for entry in listed}
    # ValueError: also what is no plain yaml.
    except (KeyError, TypeError, ValueError) as error:
        reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
        raise ReplayError(
            f'{file}: cannot be read as the metadata of a rosbag2 ({reason}): write it anew with '
            f'ros2 bag reindex {bag}') from error
    return counts, types


def _metadata_file(bag: Path) -> Path:
    if bag.is_file():
        folder = bag.parent
        remedy = (
            f'give bag:={folder}' if (folder / 'metadata.yaml').is_file() else
            'put it into a folder of its own and run ros2 bag reindex on that')
        raise ReplayError(f'bag must be the folder of a rosbag2, got the file {bag}: {remedy}')
    if not bag.is_dir():
        raise ReplayError(
            f'bag must be the folder of a rosbag2, got {bag}, which is not there: give its path')
    if not (bag / 'metadata.yaml').is_file():
        raise ReplayError(
            f'bag must be the folder of a rosbag2, got {bag} without a metadata.yaml: write it '
            f'with ros2 bag reindex {bag}')
    return bag / 'metadata.yaml'


def positive_rate(text: str) -> float:
    """Return the speed of the replay against the recording's; raises ReplayError."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float('inf'):
        raise ReplayError(
            f"rate must be a number > 0, times the recording's speed, got {text!r}: write for "
            'example rate:=0.5')
    return rate


def warm_up_parameters(percent: str, recording: Recording) -> dict[str, Any]:
    """Return the parameters of a warm-up of ``percent`` of one pass through the recording.

    Raises ReplayError.
    """
    try:
        amount = float(percent)
    except ValueError:
        amount = -1.0
    if not 0 <= amount <= 100:
        raise ReplayError(
            f'warm_up_percent must be a number from 0 to 100, got {percent!r}: 0 is plain '
            'SegFormer, 10 a tenth of the bag')
    return {
        'warm_up.unit': 'percent', 'warm_up.amount': amount,
        'warm_up.stream_length_frames': recording.images}


def play_command(recording: Recording, rate: float, loop: bool) -> list[str]:
    """Return the command that plays ``recording`` and its clock.

    Every option is in all distributions from Humble on.
    """
    command = [
        'ros2', 'bag', 'play', str(recording.bag), '--clock', '--rate', f'{rate:g}',
        '--delay', f'{DISCOVERY_S:g}']
    if loop:
        command.append('--loop')
    if recording.heard != recording.topic:
        command += ['--remap', f'{recording.topic}:={recording.heard}']
    # Those named only: masks of an earlier run must not come between the node's own.
    return [*command, '--topics', *recording.played]


def record_command(output: Path, recording: Recording, with_images: bool) -> list[str]:
    """Return the command that records the node's results, and its images, into ``output``.

    Raises ReplayError where ``output`` exists.
    """
    if output.exists():
        raise ReplayError(
            f'output must not exist, got {output}: remove it, or give another as output:=PATH')
    # A pattern, as topics by name are given differently from one distribution to the next.
    pattern = f'/segmentation/({"|".join(RECORDED)})'
    if with_images:
        pattern = f'{pattern}|{recording.heard}'
    return ['ros2', 'bag', 'record', '-s', 'mcap', '-o', str(output), '--regex', f'^({pattern})$']
