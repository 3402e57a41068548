"""Bags: damaged files of each kind, and whole ones with damaged messages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from ditta_ros.evaluation.bags import IMAGE_TOPIC, BagWriter, bag_source
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.topics import IMAGE_TYPE
from ditta_ros.soak.hostile.damage import damaged
from ditta_ros.soak.hostile.refusal import Feed, refused

SIDE_PX, FRAMES = 8, 3
METADATA = 'metadata.yaml'
_STORE = get_typestore(Stores.ROS2_JAZZY)


def open_feed(folder: Path) -> Feed:
    """Open a feed of bags; see the package."""
    compressed = folder / 'compressed'
    with BagWriter(compressed) as bag:
        for index, rgb in enumerate(_pictures()):
            bag.image(IMAGE_TOPIC, 10**9 + index, 'front', rgb)
    messages = _messages()
    whole = [compressed, *(
        _write(folder / plugin.name, plugin, messages) for plugin in StoragePlugin)]
    kinds: tuple[Callable[[Random, Path], Path], ...] = (
        lambda random, into: _damaged_file(random, random.choice(whole), into),
        lambda random, into: _damaged_metadata(random, random.choice(whole), into),
        lambda random, into: _write(
            into / 'bag', random.choice(list(StoragePlugin)),
            [damaged(random, data) for data in messages]))

    def feed(random: Random) -> bool:
        into = folder / 'now'
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        # Three of four are damaged files: writing bags is slow.
        path = random.choice((kinds[0], kinds[0], *kinds[1:]))(random, into)
        try:
            for _ in bag_source(path):
                pass
        except SourceError as error:
            return refused(error)
        return True

    return feed


def _pictures() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8) for _ in range(FRAMES)]


def _messages() -> list[bytes]:
    """Return serialised images."""
    types: Any = _STORE.types
    return [bytes(_STORE.serialize_cdr(types[IMAGE_TYPE](
        header=types['std_msgs/msg/Header'](
            stamp=types['builtin_interfaces/msg/Time'](sec=1, nanosec=index), frame_id='front'),
        height=SIDE_PX, width=SIDE_PX, encoding='rgb8', is_bigendian=0, step=3 * SIDE_PX,
        data=rgb.reshape(-1)), IMAGE_TYPE)) for index, rgb in enumerate(_pictures())]


def _write(path: Path, plugin: StoragePlugin, messages: list[bytes]) -> Path:
    """Write serialised images, whatever they are, as a bag that is whole itself."""
    with Writer(path, version=8, storage_plugin=plugin) as writer:
        connection = writer.add_connection(IMAGE_TOPIC, IMAGE_TYPE, typestore=_STORE)
        for index, data in enumerate(messages):
            writer.write(connection, 10**9 + index, data)
    return path


def _damaged_file(random: Random, bag: Path, into: Path) -> Path:
    """Return a single file, damaged."""
    file = next(item for item in bag.iterdir() if item.name != METADATA)
    copied = into / file.name
    copied.write_bytes(damaged(random, file.read_bytes()))
    return copied


def _damaged_metadata(random: Random, bag: Path, into: Path) -> Path:
    """Return a folder whose description of its files is damaged."""
    copied = into / 'bag'
    shutil.copytree(bag, copied)
    file = copied / METADATA
    file.write_bytes(damaged(random, file.read_bytes()))
    return copied
