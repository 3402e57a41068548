"""The messages of a rosbag2 through ``rosbags``, past those that are damaged."""

from __future__ import annotations

import struct
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.reader import zstd
from rosbags.rosbag2.storage_mcap import ChunkInfo, McapReader
from rosbags.typesys import Stores, get_typestore

from ditta_ros.errors import one_line
from ditta_ros.evaluation.source import Skipped, SourceError

# What rosbags lets through of damaged files, beside its own errors: whatever its parsers and the
# libraries below them raise.  Caught around calls of rosbags alone.
BROKEN = (
    AnyReaderError, ReaderError, apsw.Error, struct.error, zstd.ZstdError, ArithmeticError,
    AssertionError, EOFError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError)
# A bag brings the definitions of its messages; those of what is read here are known.
DEFINED_BY_ROS = (
    'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage', 'std_msgs/msg/Header',
    'builtin_interfaces/msg/Time')


class Recorded(NamedTuple):
    """A message, and in words where it is in the bag."""

    topic: str
    where: str
    message: Any


@contextmanager
def open_bag(path: Path) -> Iterator[AnyReader]:
    """Open a rosbag2 of any kind; raises SourceError."""
    store = get_typestore(Stores.LATEST)  # for bags that do not bring their definitions
    try:
        reader = AnyReader([path], default_typestore=store)
        reader.open()
        _check_metadata(reader)
    except BROKEN as error:
        raise _broken(path, error) from error
    try:
        yield reader
    finally:
        reader.close()


def _check_metadata(reader: AnyReader) -> None:
    """Raise TypeError for what rosbags believes.

    That are values in metadata.yaml of another type, and definitions of messages in the bag that
    have other fields than theirs.
    """
    for each in reader.connections:
        if not (isinstance(each.topic, str) and isinstance(each.msgtype, str)
                and isinstance(each.msgcount, int)):
            raise TypeError(
                f'a topic must have a name, a type and a number of messages, got {each.topic!r}, '
                f'{each.msgtype!r}, {each.msgcount!r}')
    standard = get_typestore(Stores.LATEST).fielddefs
    for name in DEFINED_BY_ROS:
        if reader.typestore.fielddefs.get(name, standard[name])[1] != standard[name][1]:
            raise TypeError(f"its definition of {name} must be ROS 2's, got another one")
    if not isinstance(reader.duration, int):
        raise TypeError(f'a duration must be in nanoseconds, got {reader.duration!r}')


def messages(
    reader: AnyReader, path: Path, connections: Collection[Connection],
) -> Generator[Recorded | Skipped, None, None]:
    """Yield the messages of ``connections`` in the order of their recording.

    What is damaged, a message or a chunk of them, is a ``Skipped``; ``path`` is for the errors.
    Raises SourceError where nothing can be read from some point on.
    """
    counts: dict[str, int] = {}
    for raw in _raw_messages(reader, path, connections):
        if isinstance(raw, Skipped):
            yield raw
            continue
        connection, data = raw
        index = counts.get(connection.topic, 0)
        counts[connection.topic] = index + 1
        where = f'{connection.topic}, message {index}'
        try:
            message: Any = reader.deserialize(data, connection.msgtype)
        except BROKEN as error:
            yield Skipped(where, _reason(error))
        else:
            yield Recorded(connection.topic, where, message)


def _raw_messages(
    reader: AnyReader, path: Path, connections: Collection[Connection],
) -> Generator[tuple[Connection, bytes] | Skipped, None, None]:
    read = reader.messages(connections)
    last_ns = -1  # all up to here has been read, or given up
    while True:
        try:
            connection, last_ns, data = next(read)
        except StopIteration:
            return
        except BROKEN as error:
            damaged = _next_chunk(reader, connections, last_ns)
            if damaged is None:
                raise _broken(path, error) from error
            chunk, count = damaged
            yield Skipped(f'recorded at {chunk.message_start_time / 1e9:.3f} s', (
                f'a chunk of the file is damaged: {_reason(error)}'), count)
            last_ns = chunk.message_end_time
            read = reader.messages(connections, start=last_ns + 1)
        else:
            yield connection, data


def _next_chunk(
    reader: AnyReader, connections: Collection[Connection], after_ns: int,
) -> tuple[ChunkInfo, int] | None:
    """Return the first chunk that goes on after ``after_ns``, and its number of messages.

    None where there is none, or the storage has no chunks.  A recorder writes its chunks one after
    the other in time; a message of another one that overlaps this one is lost with it.
    """
    topics = {connection.topic for connection in connections}
    chunks = []
    for storage in _storages(reader):
        ids = [each.id for each in storage.connections if each.topic in topics]
        chunks += [
            (chunk, count) for chunk in storage.chunks if chunk.message_end_time > after_ns
            and (count := sum(chunk.channel_count.get(each, 0) for each in ids))]
    return min(chunks, key=lambda pair: pair[0].message_start_time, default=None)


def _storages(reader: AnyReader) -> Iterator[McapReader]:
    """Yield the MCAP files of a bag."""
    for bag in reader.readers:
        storage = getattr(bag, 'storage', None)
        for each in getattr(storage, 'storages', [storage]):  # a directory's files, or one file
            if isinstance(each, McapReader):
                yield each


def _broken(path: Path, error: Exception) -> SourceError:
    return SourceError(f'{path}: cannot be read as a rosbag2: {_reason(error)}')


def _reason(error: Exception) -> str:
    return one_line(error) or type(error).__name__
