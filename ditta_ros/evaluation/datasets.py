"""Data sets of video with truth, as they are unpacked: VSPW and Cityscapes.

VSPW_480p:   ``data/VIDEO/origin/00000456.jpg`` and ``data/VIDEO/mask/00000456.png``, 15 Hz; the
             videos of each split in ``train.txt``, ``val.txt`` and ``test.txt``.
Cityscapes:  ``leftImg8bit_sequence/SPLIT/CITY/CITY_000000_000019_leftImg8bit.png``, snippets of 30
             frames at 17 Hz, of which the 20th has labels in
             ``gtFine/SPLIT/CITY/CITY_000000_000019_gtFine_labelIds.png``.

A source is a VSPW video or a Cityscapes snippet.  Labels are 0..123 for VSPW and train ids 0..18
for Cityscapes, as in ``config/labels_vspw.yaml`` and ``config/labels_cityscapes.yaml``.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ditta_ros.evaluation.folders import files_of, files_source, pair
from ditta_ros.evaluation.image_files import IMAGE_SUFFIXES, Labelled
from ditta_ros.evaluation.metrics import from_vspw
from ditta_ros.evaluation.source import Source, SourceError
from ditta_ros.labels import UNLABELLED

VSPW_RATE_HZ = 15.0
CITYSCAPES_RATE_HZ = 17.0
FRAMES_BEFORE, FRAMES_AFTER = 19, 10  # the labelled one of a Cityscapes snippet
# Cityscapes' label ids in the order of the train ids; what is not here is not evaluated.
TRAIN_ID_ORDER = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
_IMAGES, _LABELS = 'leftImg8bit_sequence', 'gtFine'
_LABEL_NAME = re.compile(r'(?P<place>.+)_(?P<frame>\d{6})_gtFine_label(?P<kind>Ids|TrainIds)\.png')


def is_vspw_video(path: Path) -> bool:
    """Whether ``path`` is the folder of a VSPW video."""
    return (path / 'origin').is_dir()


def vspw_source(video: Path) -> Source:
    """Return a VSPW video; raises SourceError."""
    images = files_of(video / 'origin', IMAGE_SUFFIXES)
    if not images:
        raise SourceError(f'{video / "origin"}: no image in it: unpack the data set again')
    masks = video / 'mask'  # the test split has none
    files = pair(images, masks) if masks.is_dir() else [Labelled(path) for path in images]
    table = from_vspw(np.arange(256)).astype(np.uint8)
    return files_source(str(video), files, VSPW_RATE_HZ, table)


def vspw_videos(path: Path) -> list[Path] | None:
    """Return the videos of a list in VSPW_480p, of ``val.txt`` for its root; None for neither.

    Raises SourceError where the list is empty or names a video that is not there.
    """
    listing = path / 'val.txt' if path.is_dir() else path
    data = listing.parent / 'data'
    if listing.suffix != '.txt' or not listing.is_file() or not data.is_dir():
        return None
    try:
        names = listing.read_text(encoding='utf-8').split()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f'{listing}: cannot be read as a list of videos: {error}') from error
    if not names:
        raise SourceError(f'{listing}: no video in it: it lists one name a line')
    for name in names:
        if not is_vspw_video(data / name):
            raise SourceError(
                f'{listing}: video {name!r} has no folder {data / name / "origin"}: unpack the '
                'whole data set, or shorten the list')
    return [data / name for name in names]


def is_cityscapes_label(path: Path) -> bool:
    """Whether ``path`` is named as a label image of Cityscapes."""
    return _LABEL_NAME.fullmatch(path.name) is not None


def cityscapes_source(label: Path) -> Source:
    """Return the snippet around the frame of ``label``, which alone has truth.

    Raises SourceError where that frame is missing; others are skipped.
    """
    name = _LABEL_NAME.fullmatch(label.name)
    assert name is not None
    city = label.absolute().parent
    split, labelled = city.parent, int(name['frame'])
    folder = split.parent.parent / _IMAGES / split.name / city.name
    images = {
        frame: folder / f'{name["place"]}_{frame:06d}_leftImg8bit.png'
        for frame in range(max(labelled - FRAMES_BEFORE, 0), labelled + FRAMES_AFTER + 1)}
    if not images[labelled].is_file():
        raise SourceError(
            f'{label}: its image {images[labelled]} is missing: unpack {_IMAGES} beside '
            f'{_LABELS}')
    files = [Labelled(image, label if frame == labelled else None)
             for frame, image in images.items()]
    table = _train_ids() if name['kind'] == 'Ids' else np.arange(256, dtype=np.uint8)
    return files_source(str(label), files, CITYSCAPES_RATE_HZ, table)


def cityscapes_snippets(path: Path) -> list[Path] | None:
    """Return the labelled frames below ``path``, of ``gtFine/val`` for Cityscapes' root.

    Of label ids and train ids of a frame the former.  None where ``path`` is neither the root nor
    in ``gtFine``; raises SourceError where nothing is labelled.
    """
    root_labels = path / _LABELS / 'val'
    if (path / _IMAGES).is_dir() and root_labels.is_dir():
        path = root_labels
    elif not path.is_dir() or _LABELS not in path.absolute().parts:
        return None
    by_frame: dict[tuple[str, str], Path] = {}
    for kind in ('TrainIds', 'Ids'):
        for label in path.rglob(f'*_gtFine_label{kind}.png'):
            name = _LABEL_NAME.fullmatch(label.name)
            if name is not None:
                by_frame[name['place'], name['frame']] = label
    if not by_frame:
        raise SourceError(
            f'{path}: no label of Cityscapes in it (..._gtFine_labelIds.png): unpack gtFine')
    return [by_frame[frame] for frame in sorted(by_frame)]


def _train_ids() -> np.ndarray:
    """Return the train id of every label id, uint8 [256]."""
    table = np.full(256, UNLABELLED, np.uint8)
    table[list(TRAIN_ID_ORDER)] = np.arange(len(TRAIN_ID_ORDER))
    return table
