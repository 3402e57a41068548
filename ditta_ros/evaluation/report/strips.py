"""Frames to look at: the camera's, the truth's and each method's labels, side by side."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ditta_ros.evaluation.bags import bag_source
from ditta_ros.evaluation.outcome import MASK_TOPIC, Outcome, Run
from ditta_ros.evaluation.report.drawing import data_uri
from ditta_ros.evaluation.report.results import Results, title
from ditta_ros.evaluation.source import SourceError, SourceFrame
from ditta_ros.evaluation.sources import open_source
from ditta_ros.labels import UNLABELLED, LabelSet, default_palette

CELL_WIDTH_PX = 320
JPEG_QUALITY = 85
MOMENTS = 6  # of a source, two of them in the warm-up
MOST_SOURCES = 6  # that are shown

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """A picture as a data URI, '' where there is none, with what stands below it."""

    uri: str
    text: str = ''


@dataclass(frozen=True)
class StripRow:
    """The pictures of one kind, a column per moment."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Strip:
    """One source's pictures; ``legend`` is the classes in them with their colours as '#rrggbb'."""

    source: str
    under: str
    columns: tuple[str, ...]
    rows: tuple[StripRow, ...]
    legend: tuple[tuple[str, str], ...]
    has_truth: bool


def strips(results: Results, folder: Path) -> list[Strip]:
    """Return the strips of the first sources, of the headline protocol and one seed.

    A source or bag that cannot be read again is left out with a line in the log.
    """
    made = []
    for source in results.sources[:MOST_SOURCES]:
        outcomes = first_of_each_method(results, source)
        if not outcomes:
            continue
        try:
            made.append(_strip(results, source, outcomes, folder))
        except (SourceError, ImportError) as error:
            _log.warning('no pictures of %s: %s', source, error)
    return made


def first_of_each_method(results: Results, source: str) -> dict[str, Outcome]:
    """Return each method's first outcome on ``source``, with the headline's warm-up."""
    found: dict[str, Outcome] = {}
    for outcome in results.select(under=results.headline, source=source, variant=''):
        found.setdefault(outcome.job.method, outcome)
    return {method: found[method] for method in results.methods if method in found}


def label_set_of(outcome: Outcome) -> LabelSet:
    """Return the names and colours of an outcome's labels."""
    names = outcome.class_names
    palette = np.array(outcome.palette, np.uint8) if outcome.palette else default_palette(
        len(names))
    return LabelSet(names, palette)


def moments(outcome: Outcome) -> list[int]:
    """Return up to ``MOMENTS`` frame indices: two of the warm-up, the others spread over the rest.

    With the full video as warm-up, all are spread over it.
    """
    last = outcome.frames - 1
    if outcome.warm_up_frames in (0, outcome.frames):
        spread = np.linspace(0, last, MOMENTS)
    else:
        spread = np.concatenate([
            [0, outcome.warm_up_frames // 2],
            np.linspace(outcome.warm_up_frames, last, MOMENTS - 2)])
    return sorted({int(index) for index in spread.round()})


def frames_at(source: str, run: Run | None, indices: Sequence[int]) -> dict[int, SourceFrame]:
    """Read the frames of ``source`` with these indices; raises SourceError."""
    topic, truth_topic = (run.topic, run.truth_topic) if run else ('', '')
    frames = iter(open_source(source, topic, truth_topic))
    found = {}
    for index, frame in enumerate(frames):
        if index in indices:
            found[index] = frame
        if index >= max(indices):
            break
    return found


def masks_of(
    folder: Path, outcome: Outcome,
) -> Generator[tuple[int, np.ndarray], None, None]:
    """Yield stamp in ns and label map, uint8 [H, W], of a job's bag; raises SourceError."""
    path = folder / outcome.job.key
    if not path.exists():
        raise SourceError(f'{path}: no bag of masks there')
    for frame in bag_source(path, MASK_TOPIC):
        yield frame.stamp_ns, frame.rgb[:, :, 0]


def _masks_at(folder: Path, outcome: Outcome, stamps: Iterable[int]) -> dict[int, np.ndarray]:
    wanted = set(stamps)
    try:
        return {stamp: mask for stamp, mask in masks_of(folder, outcome) if stamp in wanted}
    except (SourceError, ImportError) as error:  # reading bags needs the ROS message packages
        _log.warning('no masks of %s: %s', outcome.job.key, error)
        return {}


def _strip(
    results: Results, source: str, outcomes: Mapping[str, Outcome], folder: Path,
) -> Strip:
    first = next(iter(outcomes.values()))
    frames = frames_at(source, results.run, moments(first))
    label_set = label_set_of(first)
    rows = [StripRow('frame', tuple(_photo(frame.rgb) for frame in frames.values()))]
    shown: set[int] = set()
    truths = {frame.stamp_ns: _as_counted(frame.label, first) for frame in frames.values()}
    known = [truth for truth in truths.values() if truth is not None]
    if known:
        rows.append(StripRow('truth', tuple(
            _painted(truth, label_set) for truth in truths.values())))
        shown.update(*(np.unique(truth).tolist() for truth in known))
    for method, outcome in outcomes.items():
        masks = _masks_at(folder, outcome, (frame.stamp_ns for frame in frames.values()))
        rows.append(StripRow(title(method), tuple(
            _judged(masks.get(frame.stamp_ns), truths[frame.stamp_ns], label_set)
            for frame in frames.values())))
        shown.update(*(np.unique(mask).tolist() for mask in masks.values()))
    columns = tuple(
        f'frame {index}' + (', warm-up' if index < first.warm_up_frames < first.frames else '')
        for index in frames)
    legend = tuple(
        (label_set.names[label], '#' + bytes(label_set.palette[label]).hex())
        for label in sorted(shown) if label < len(label_set))
    return Strip(source, results.headline, columns, tuple(rows), legend, bool(known))


def _as_counted(truth: np.ndarray | None, outcome: Outcome) -> np.ndarray | None:
    if truth is None or not outcome.truth_as:
        return truth
    return np.array(outcome.truth_as, np.uint8)[truth]


def _judged(
    mask: np.ndarray | None, truth: np.ndarray | None, label_set: LabelSet,
) -> Cell:
    if mask is None:
        return Cell('', 'not labelled')
    cell = _painted(mask, label_set)
    if truth is None or truth.shape != mask.shape:
        return cell
    known = truth != UNLABELLED
    return Cell(cell.uri, f'{100 * np.mean(mask[known] == truth[known]):.0f} % right'
                if known.any() else '')


def _photo(rgb: np.ndarray) -> Cell:
    small = cv2.resize(rgb, _cell_size_px(rgb), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
                           [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Cell(data_uri('image/jpeg', data.tobytes()))


def _painted(label: np.ndarray | None, label_set: LabelSet) -> Cell:
    if label is None:
        return Cell('', 'no truth')
    small = cv2.resize(label, _cell_size_px(label), interpolation=cv2.INTER_NEAREST)
    # A label beyond the classes has no colour.
    colours = label_set.colorize(np.where(small < len(label_set), small, UNLABELLED))
    _, data = cv2.imencode('.png', cv2.cvtColor(colours, cv2.COLOR_RGB2BGR))
    return Cell(data_uri('image/png', data.tobytes()))


def _cell_size_px(image: np.ndarray) -> tuple[int, int]:
    """Return width and height, as OpenCV takes them; small images stay as they are."""
    height, width = image.shape[:2]
    scale = min(1.0, CELL_WIDTH_PX / width)
    return max(round(width * scale), 1), max(round(height * scale), 1)
