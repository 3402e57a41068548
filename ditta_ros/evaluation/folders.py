"""Folders of images, with labels where a folder ``labels`` lies in or beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ditta_ros.evaluation.image_files import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    Labelled,
    read_frames,
)
from ditta_ros.evaluation.source import Source, SourceError
from ditta_ros.evaluation.specs import values_of
from ditta_ros.labels import UNLABELLED

RATE_HZ = 10.0  # of a folder that is given none
IMAGES, LABELS = 'images', 'labels'  # names of the two folders
KEYS = (IMAGES, LABELS, 'rate', 'ignore', 'begins')


def folder_source(folder: Path) -> Source:
    """Return the images of a folder as a stream of ``RATE_HZ``; a2.png before a10.png.

    The images are in ``folder`` or, where it has such, in ``folder/images``.  Their labels have
    their names, in a folder ``labels`` beside or in that folder.
    """
    images = folder / IMAGES if (folder / IMAGES).is_dir() else folder
    inside, beside = images / LABELS, images.parent / LABELS
    # Beside any other folder, "labels" may be those of something else.
    labels = beside if images.name == IMAGES and beside.is_dir() else inside
    has_labels = labels.is_dir() and files_of(labels, LABEL_SUFFIXES)
    return _Folder(str(folder), images, labels if has_labels else None).source()


def given_folders_source(spec: str) -> Source:
    """Return ``images=DIR,labels=DIR,rate=10,ignore=11,begins=0001TP_``, all but images optional.

    ``rate`` in Hz; ``ignore``: the value of unlabelled pixels, beside 255; ``begins``: how the
    names of the images begin, where a folder holds several recordings.
    """
    given = values_of(spec, 'folders', KEYS)
    try:
        rate_hz = float(given.get('rate', RATE_HZ))
        ignore = int(given.get('ignore', UNLABELLED))
    except ValueError as error:
        raise SourceError(f'{spec}: {error}') from None
    if not 0 < rate_hz <= 1000 or not 0 <= ignore <= UNLABELLED:
        raise SourceError(
            f'{spec}: rate must be 0..1000 Hz and ignore 0..{UNLABELLED}, got {rate_hz:g} and '
            f'{ignore}')
    folders = [Path(given[key]) for key in (IMAGES, LABELS) if key in given]
    for folder in folders:
        if not folder.is_dir():
            raise SourceError(f'{spec}: no such folder {folder}')
    labels = folders[1] if LABELS in given else None
    return _Folder(
        spec, Path(given[IMAGES]), labels, rate_hz, ignore, given.get('begins', '')).source()


@dataclass(frozen=True)
class _Folder:
    name: str
    images: Path
    labels: Path | None
    rate_hz: float = RATE_HZ
    ignore: int = UNLABELLED
    begins: str = ''

    def source(self) -> Source:
        paths = [path for path in files_of(self.images, IMAGE_SUFFIXES)
                 if path.name.startswith(self.begins)]
        if not paths:
            begins = f' that begins with {self.begins!r}' if self.begins else ''
            raise SourceError(
                f'{self.images}: no image{begins} in it ({", ".join(IMAGE_SUFFIXES)}), nor a '
                'metadata.yaml of a rosbag2, nor a data set')
        files = pair(paths, self.labels) if self.labels is not None else [
            Labelled(path) for path in paths]
        table = np.arange(256, dtype=np.uint8)
        table[self.ignore] = UNLABELLED
        return files_source(self.name, files, self.rate_hz, table)


def files_source(
    name: str, files: Sequence[Labelled], rate_hz: float, table: np.ndarray,
) -> Source:
    """Return ``files`` as a source; ``table`` as in ``read_frames``."""
    has_truth = any(file.label is not None for file in files)
    return Source(
        name, len(files), rate_hz, has_truth, partial(read_frames, files, rate_hz, table))


def pair(images: Sequence[Path], labels: Path) -> list[Labelled]:
    """Return the images with the label images of their names; some may have none.

    Raises SourceError where none has one.
    """
    found = {path.stem: path for path in files_of(labels, LABEL_SUFFIXES)}
    files = [Labelled(path, found.get(path.stem)) for path in images]
    if not any(file.label for file in files):
        raise SourceError(
            f'{labels}: a label image has the name of its image, got none of '
            f'{images[0].stem}.png, ...: rename them')
    return files


def files_of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files with such ``suffixes``, in the order of the numbers in their names."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in suffixes]
    return sorted(paths, key=number_order)


def number_order(path: Path) -> list[tuple[bool, int, str]]:
    """Sort key of a path: a2 before a10."""
    parts = re.split(r'(\d+)', path.name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
