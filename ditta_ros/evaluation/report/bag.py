"""One source with every method's labels as an MCAP bag, for Foxglove or RViz."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import numpy as np

from ditta_ros.evaluation.bags import IMAGE_TOPIC, BagError, BagWriter
from ditta_ros.evaluation.outcome import Outcome
from ditta_ros.evaluation.report.results import Results
from ditta_ros.evaluation.report.strips import first_of_each_method, label_set_of, masks_of
from ditta_ros.evaluation.source import SourceFrame
from ditta_ros.evaluation.sources import open_source
from ditta_ros.evaluation.topics import RESULT_PREFIX, TRUTH_TOPIC
from ditta_ros.labels import LabelSet
from ditta_ros.settings import Settings


def write_bag(folder: Path, out: Path, source: str = '') -> dict[str, Outcome]:
    """Write the images of a run's source, and mask and overlay of each method, to the bag ``out``.

    Topics are ``IMAGE_TOPIC``, ``TRUTH_TOPIC`` where there is truth, and of each method
    ``/<method>/segmentation/mask`` and ``.../overlay``, all with the source's own stamps.
    ``source`` chooses among several; empty: the run's first.  Of several warm-ups the one that
    most jobs have is taken, of several seeds the first, of variants none.  Returns the outcomes
    whose masks were written, by method.  Raises BagError, SourceError.
    """
    results = Results.read(folder)
    source = source or next(iter(results.sources), '')
    outcomes = first_of_each_method(results, source)
    if not outcomes:
        raise BagError(
            f'{folder}: no outcome of {source or "any source"} with the warm-up '
            f'{results.headline or "asked for"}: name one of '
            f'{", ".join(results.sources) or "none"}')
    topic, truth_topic = (
        (results.run.topic, results.run.truth_topic) if results.run else ('', ''))
    frames = open_source(source, topic, truth_topic)
    with ExitStack() as stack:
        tracks = [
            _Track(method, label_set_of(outcome),
                   stack.enter_context(closing(masks_of(folder, outcome))))
            for method, outcome in outcomes.items()]
        bag = stack.enter_context(BagWriter(out))
        for frame in frames:
            at = (frame.stamp_ns, frame.frame_id)
            bag.image(IMAGE_TOPIC, *at, frame.rgb)
            if frame.label is not None:
                bag.image(TRUTH_TOPIC, *at, frame.label)
            for track in tracks:
                track.write(bag, frame)
    return outcomes


class _Track:
    """One method's masks, in step with the source's frames."""

    def __init__(
        self, method: str, label_set: LabelSet, masks: Iterator[tuple[int, np.ndarray]],
    ) -> None:
        self._prefix = f'/{method}{RESULT_PREFIX}'
        self._label_set = label_set
        self._masks = masks
        self._next = next(masks, None)

    def write(self, bag: BagWriter, frame: SourceFrame) -> None:
        """Write what the method made of ``frame``; nothing where it did not label it."""
        while self._next is not None and self._next[0] < frame.stamp_ns:
            self._next = next(self._masks, None)
        if self._next is None or self._next[0] != frame.stamp_ns:
            return
        mask = self._next[1]
        at = (frame.stamp_ns, frame.frame_id)
        bag.image(f'{self._prefix}mask', *at, mask)
        bag.image(f'{self._prefix}overlay', *at, overlay(frame.rgb, mask, self._label_set))


def overlay(rgb: np.ndarray, mask: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Return the frame under the class colours, uint8 [H, W, 3]; unlabelled pixels as they are."""
    labelled = (mask < len(label_set))[:, :, None]
    colours = label_set.colorize(np.minimum(mask, label_set.unlabelled))
    alpha = Settings().overlay_alpha
    return np.where(labelled, cv2.addWeighted(colours, alpha, rgb, 1 - alpha, 0), rgb)
