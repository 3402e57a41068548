"""Write and read rosbag2 files through ``rosbags``, without rclpy.

Bags are written as MCAP with metadata version 8, which distributions newer than it read too;
``ros2 bag play``, RViz and Foxglove read them.  Every kind of rosbag2 is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import (
    CompressionFormat,
    CompressionMode,
    StoragePlugin,
    Writer,
    WriterError,
)
from rosbags.typesys import Stores, get_typestore

from ditta_ros.evaluation.bag_reader import messages, open_bag
from ditta_ros.evaluation.source import Skipped, Source, SourceError, SourceFrame
from ditta_ros.evaluation.topics import COMPRESSED_TYPE, IMAGE_TYPE, TRUTH_TOPIC, camera_topics
from ditta_ros.stamps import nanoseconds

IMAGE_TOPIC = '/camera/image_raw'
JPEG_QUALITY = 90
DEFAULT_RATE_HZ = 10.0  # of a bag with one image
LABEL_LAG_FRAMES = 16  # how many images may be recorded between an image and its label


class BagError(ValueError):
    """A bag cannot be written; the message says which and why."""


class BagWriter:
    """An MCAP bag of images; a context manager.

    ``path`` becomes a directory with metadata.yaml and one .mcap file; it must not exist.
    A bag whose block is left by an exception is closed all the same: what was written is readable.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._connections: dict[str, Any] = {}
        try:
            self._writer = Writer(self.path, version=8, storage_plugin=StoragePlugin.MCAP)
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        except WriterError:
            raise BagError(f'{path}: exists already: remove it or name another') from None

    def __enter__(self) -> BagWriter:
        try:
            self._writer.open()
        except (WriterError, OSError) as error:
            raise BagError(f'{self.path}: cannot be written: {error}') from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def image(self, topic: str, stamp_ns: int, frame_id: str, array: np.ndarray) -> None:
        """Write ``array`` as sensor_msgs/Image: uint8 [H, W, 3] as rgb8, uint8 [H, W] as mono8."""
        if array.dtype != np.uint8 or array.shape[2:] not in ((), (3,)):
            raise ValueError(
                f'{topic}: an image is uint8 [H, W] or [H, W, 3], got {array.dtype} '
                f'{list(array.shape)}')
        image = self._store.types[IMAGE_TYPE]
        height, width = array.shape[:2]
        encoding, channels = ('rgb8', 3) if array.ndim == 3 else ('mono8', 1)
        self._write(topic, stamp_ns, image(
            header=self._header(stamp_ns, frame_id), height=height, width=width,
            encoding=encoding, is_bigendian=0, step=width * channels,
            data=np.ascontiguousarray(array).reshape(-1)))

    def jpeg(self, topic: str, stamp_ns: int, frame_id: str, rgb: np.ndarray) -> None:
        """Write ``rgb`` (uint8 [H, W, 3]) as sensor_msgs/CompressedImage; it loses detail."""
        compressed = self._store.types[COMPRESSED_TYPE]
        done, data = cv2.imencode(
            '.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise BagError(f'{self.path}: {topic}: OpenCV could not write a JPEG of {rgb.shape}')
        self._write(topic, stamp_ns, compressed(
            header=self._header(stamp_ns, frame_id), format='jpeg', data=data.reshape(-1)))

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        types = self._store.types
        stamp = types['builtin_interfaces/msg/Time'](
            sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id)

    def _write(self, topic: str, stamp_ns: int, message: Any) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, message.__msgtype__, typestore=self._store)
        data = self._store.serialize_cdr(message, message.__msgtype__)
        # The time of recording is the stamp: players keep the camera's own rhythm.
        self._writer.write(self._connections[topic], stamp_ns, data)


def bag_source(path: Path, topic: str = '', truth_topic: str = '') -> Source:
    """Return the images of a rosbag2 (or one .mcap or .db3 file) with their header stamps.

    ``topic``: sensor_msgs Image or CompressedImage; empty: the only one besides
    ``TRUTH_TOPIC`` and what a node publishes.  ``truth_topic``: mono8 labels with the
    stamps of their images; empty: ``TRUTH_TOPIC`` where the bag has it.  Raises SourceError.
    """
    with open_bag(path) as reader:
        counts = {
            connection.topic: connection.msgcount for connection in reader.connections
            if connection.msgtype in (IMAGE_TYPE, COMPRESSED_TYPE)}
        duration_s = reader.duration / 1e9
    topic = topic or _only_image_topic(path, list(counts))
    truth_topic = truth_topic or (TRUTH_TOPIC if TRUTH_TOPIC in counts else '')
    for name in filter(None, (topic, truth_topic)):
        if name not in counts:
            raise SourceError(
                f'{path}: no images on topic {name}; it has {", ".join(counts) or "none"}')
    frames = counts[topic]
    rate_hz = (frames - 1) / duration_s if frames > 1 and duration_s > 0 else DEFAULT_RATE_HZ
    return Source(
        str(path), frames, rate_hz, bool(truth_topic),
        partial(_read_bag, path, topic, truth_topic))


def _only_image_topic(path: Path, topics: list[str]) -> str:
    inputs = camera_topics(topics)
    if len(inputs) != 1:
        raise SourceError(
            f'{path}: which topic? It must hold one topic of images or one must be named with '
            f'--topic, got {", ".join(inputs) or "none"}')
    return inputs[0]


def _read_bag(
    path: Path, topic: str, truth_topic: str,
) -> Generator[SourceFrame | Skipped, None, None]:
    with open_bag(path) as reader:
        images = _images(reader, path, [topic, truth_topic] if truth_topic else [topic])
        waiting: deque[SourceFrame] = deque()
        labels: dict[int, np.ndarray] = {}
        for image in images:
            if isinstance(image, Skipped):
                yield image
                continue
            name, frame = image
            if name == topic:
                waiting.append(frame)
            else:
                labels[frame.stamp_ns] = frame.rgb
                if len(labels) > LABEL_LAG_FRAMES:
                    del labels[next(iter(labels))]
            # A frame waits for its label, but not for ever: truth may be sparse.
            while waiting and (
                    not truth_topic or waiting[0].stamp_ns in labels
                    or len(waiting) > LABEL_LAG_FRAMES):
                yield _with_label(waiting.popleft(), labels)
        while waiting:
            yield _with_label(waiting.popleft(), labels)


def _images(
    reader: AnyReader, path: Path, topics: list[str],
) -> Generator[tuple[str, SourceFrame] | Skipped, None, None]:
    """Yield topic and picture, without label, in the order of recording."""
    # Here, since only the reading of bags needs the ROS message packages.
    from ditta_ros.ros.messages import MessageError, compressed_to_rgb, to_rgb
    kinds = {IMAGE_TYPE: to_rgb, COMPRESSED_TYPE: compressed_to_rgb}
    connections = [
        connection for connection in reader.connections
        if connection.topic in topics and connection.msgtype in kinds]
    for recorded in messages(reader, path, connections):
        if isinstance(recorded, Skipped):
            yield recorded
            continue
        message = recorded.message
        try:
            picture = kinds[message.__msgtype__](message)
        except MessageError as error:
            yield Skipped(recorded.where, str(error))
        else:
            header = message.header
            yield recorded.topic, SourceFrame(
                nanoseconds(header.stamp), picture, frame_id=header.frame_id)


def _with_label(frame: SourceFrame, labels: dict[int, np.ndarray]) -> SourceFrame:
    label = labels.pop(frame.stamp_ns, None)
    # The truth is mono8, which the conversion repeats in three channels.
    return frame if label is None else replace(frame, label=np.ascontiguousarray(label[:, :, 0]))
