"""Open a source of frames by what the user typed.

=====================================  ================================================
``clip.mp4``                           a video file, at its own rate
``images/``                            a folder of images in the order of their numbers; labels
                                       of the same names in ``labels/``, in it or beside it
``drive/``                             the same with ``drive/images`` and ``drive/labels``
``images=DIR,labels=DIR,rate=10``      the same with folders of any name (``folders``)
``bag/``, ``bag.mcap``, ``bag.db3``    a rosbag2, raw or compressed images
``world:seed=7,shift=noise:0.5``       the demo world, with truth
``crops:folder=DIR,still=NAME``        a labelled still under a moving crop, with truth (``crops``)
``VSPW_480p/data/VIDEO``               a video of VSPW, with truth
``..._gtFine_labelIds.png``            the snippet around a labelled frame of Cityscapes, which
                                       alone has truth; ``..._gtFine_labelTrainIds.png`` as well
=====================================  ================================================

A label image has one channel of 8 bit: values are classes, 255 is unlabelled.  A data set is many
sources, ``expand_sources`` names them:

=====================================  ================================================
``VSPW_480p``                          the videos of ``val.txt``
``VSPW_480p/train.txt``                those of another list
``cityscapes``                         the snippets of ``val``
``cityscapes/gtFine/train``            those of another split, or of one city in it
=====================================  ================================================

Every reading is a generator that closes what it opened in ``finally``.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path

import cv2

from ditta_ros.demo.shifts import Shift, parse
from ditta_ros.demo.world import stream
from ditta_ros.evaluation.bags import bag_source
from ditta_ros.evaluation.crops import crops_source
from ditta_ros.evaluation.datasets import (
    cityscapes_snippets,
    cityscapes_source,
    is_cityscapes_label,
    is_vspw_video,
    vspw_source,
    vspw_videos,
)
from ditta_ros.evaluation.folders import folder_source, given_folders_source
from ditta_ros.evaluation.image_files import to_rgb
from ditta_ros.evaluation.source import Source, SourceError, SourceFrame, even_stamp_ns
from ditta_ros.evaluation.specs import values_of

BAG_SUFFIXES = ('.mcap', '.db3')
WORLD_DEFAULTS = {'seed': '7', 'shift': 'clean', 'frames': '90', 'rate': '10'}


def open_source(spec: str, topic: str = '', truth_topic: str = '') -> Source:
    """Return the source that ``spec`` names (see the module's table).

    ``topic`` and ``truth_topic`` choose a bag's images and labels; empty: the only image topic,
    and ``/camera/label`` where the bag has it.  Raises SourceError.
    """
    if spec == 'world' or spec.startswith(('world:', 'crops:')):
        return crops_source(spec) if spec.startswith('crops:') else world_source(spec)
    if spec.startswith('images='):
        return given_folders_source(spec)
    path = Path(spec)
    if not path.exists():
        raise SourceError(f'{spec}: no such file or folder')
    if path.suffix in BAG_SUFFIXES or (path / 'metadata.yaml').exists():
        return bag_source(path, topic, truth_topic)
    if is_vspw_video(path):
        return vspw_source(path)
    if path.is_dir():
        return folder_source(path)
    return cityscapes_source(path) if is_cityscapes_label(path) else video_source(path)


def expand_sources(spec: str) -> list[str]:
    """Return the sources of the data set that ``spec`` names, or ``spec`` alone where it is one.

    Raises SourceError for a data set without any.
    """
    path = Path(spec)
    sources = vspw_videos(path)
    if sources is None:
        sources = cityscapes_snippets(path)
    return [spec] if sources is None else [str(each) for each in sources]


def world_source(spec: str) -> Source:
    """Return a stream of the demo world: ``world:seed=7,shift=noise:0.5,frames=90,rate=10``."""
    given = {**WORLD_DEFAULTS, **values_of(spec, 'world', WORLD_DEFAULTS)}
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
        yield SourceFrame(even_stamp_ns(index, rate_hz), frame.rgb, frame.semantic)


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
            yield SourceFrame(even_stamp_ns(index, rate_hz), to_rgb(bgr))
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
