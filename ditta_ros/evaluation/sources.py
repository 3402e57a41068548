"""Open a source of frames by what the user typed.

=====================================  ================================================
``clip.mp4``                           a video file, at its own rate
``images/``                            a folder of images in the order of their numbers
``bag/``, ``bag.mcap``, ``bag.db3``    a rosbag2, raw or compressed images
``world:seed=7,shift=noise:0.5``       the demo world, with truth
=====================================  ================================================

Every reading is a generator that closes what it opened in ``finally``.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ditta_ros.demo.shifts import Shift, parse
from ditta_ros.demo.world import stream
from ditta_ros.evaluation.bags import bag_source
from ditta_ros.evaluation.source import Source, SourceError, SourceFrame

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
BAG_SUFFIXES = ('.mcap', '.db3')
FOLDER_RATE_HZ = 10.0
WORLD_DEFAULTS = {'seed': '7', 'shift': 'clean', 'frames': '90', 'rate': '10'}


def open_source(spec: str, topic: str = '', truth_topic: str = '') -> Source:
    """Return the source that ``spec`` names (see the module's table).

    ``topic`` and ``truth_topic`` choose a bag's images and labels; empty: the only image topic,
    and ``/camera/label`` where the bag has it.  Raises SourceError.
    """
    if spec == 'world' or spec.startswith('world:'):
        return world_source(spec)
    path = Path(spec)
    if not path.exists():
        raise SourceError(f'{spec}: no such file or folder')
    if path.suffix in BAG_SUFFIXES or (path / 'metadata.yaml').exists():
        return bag_source(path, topic, truth_topic)
    return folder_source(path) if path.is_dir() else video_source(path)


def world_source(spec: str) -> Source:
    """Return a stream of the demo world: ``world:seed=7,shift=noise:0.5,frames=90,rate=10``."""
    given = dict(WORLD_DEFAULTS)
    for item in filter(None, spec.removeprefix('world').removeprefix(':').split(',')):
        key, _, value = item.partition('=')
        if key not in given:
            raise SourceError(f'{spec}: a world takes {", ".join(given)}, got {key!r}')
        given[key] = value
    try:
        seed, frames, rate_hz = int(given['seed']), int(given['frames']), float(given['rate'])
        shift = parse(given['shift'])
    except ValueError as error:
        raise SourceError(f'{spec}: {error}') from None
    if seed < 0 or frames < 1 or not 0 < rate_hz <= 1000:
        raise SourceError(f'{spec}: seed must be >= 0, frames >= 1 and rate 0..1000 Hz')
    return Source(
        spec, frames, rate_hz, True, partial(_read_world, seed, frames, rate_hz, shift))


def _read_world(
    seed: int, frames: int, rate_hz: float, shift: Shift | None,
) -> Generator[SourceFrame, None, None]:
    for index, frame in enumerate(stream(seed, frames, rate_hz, shift)):
        yield SourceFrame(_stamp_ns(index, rate_hz), frame.rgb, frame.semantic)


def folder_source(folder: Path) -> Source:
    """Return the images of a folder as a stream of ``FOLDER_RATE_HZ``; a2.png before a10.png."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    if not paths:
        raise SourceError(
            f'{folder}: no image in it ({", ".join(IMAGE_SUFFIXES)}), nor a metadata.yaml of a '
            'rosbag2')
    paths.sort(key=_number_order)
    return Source(str(folder), len(paths), FOLDER_RATE_HZ, False, partial(_read_folder, paths))


def _number_order(path: Path) -> list[tuple[bool, int, str]]:
    parts = re.split(r'(\d+)', path.name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _read_folder(paths: list[Path]) -> Generator[SourceFrame, None, None]:
    for index, path in enumerate(paths):
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise SourceError(f'{path}: cannot be read as an image')
        yield SourceFrame(_stamp_ns(index, FOLDER_RATE_HZ), _rgb(bgr))


def video_source(path: Path) -> Source:
    """Return a video file's frames, stamped at its mean rate."""
    video = _open_video(path)
    try:
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        rate_hz = video.get(cv2.CAP_PROP_FPS)
    finally:
        video.release()
    if not 0 < rate_hz <= 1000:
        raise SourceError(f'{path}: a video must have a frame rate, got {rate_hz}')
    read = partial(_read_video, path, announced, rate_hz)
    return Source(str(path), announced if announced > 0 else None, rate_hz, False, read)


def _read_video(path: Path, announced: int, rate_hz: float) -> Generator[SourceFrame, None, None]:
    video = _open_video(path)
    index = 0
    try:
        while True:
            done, bgr = video.read()
            if not done:
                break
            yield SourceFrame(_stamp_ns(index, rate_hz), _rgb(bgr))
            index += 1
    finally:
        video.release()
    # Containers may announce a few frames that do not come; a tenth missing is a damaged file.
    if index < 0.9 * announced:
        raise SourceError(
            f'{path}: reading stopped after frame {index} of {announced}: the file is cut or '
            'damaged')


def _open_video(path: Path) -> cv2.VideoCapture:
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        video.release()
        raise SourceError(f'{path}: cannot be read as a video')
    return video


def _rgb(bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(bgr[:, :, ::-1])


def _stamp_ns(index: int, rate_hz: float) -> int:
    # Not from zero: a stamp of 0 means "not set" to many ROS tools.
    return 10**9 + round(index * 1e9 / rate_hz)
