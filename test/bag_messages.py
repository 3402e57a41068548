"""Messages and bags of small pictures, as cameras would have recorded them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

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
