"""How the frozen segmenter teaches best: found on the first frames of a warm-up.

Haze, a wrong exposure or white balance cost a segmenter more than anything that its head can
learn from the tracker's masks, and so does noise: they move its features as a whole.  So the
pictures are tried in the colours of its training, and then its head with batch norm statistics
half the way to the stream's.  What tells whether that helps needs no truth: the segmenter is
surer of its labels.  Where it is not, all stays as it came.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from ditta_ros.colours import Colours, part_way, recolour
from ditta_ros.kept_features import batch
from ditta_ros.labeller import IssLabeller, Labelled
from ditta_ros.segmenter import Features, Head, Segmenter

_log = logging.getLogger(__name__)

FRAMES = 5  # a shorter warm-up decides on what it has
# Mean reliability gained, from which the colours, and the statistics, are changed.
SURER = 0.015
SURER_BY_STATISTICS = 0.004
# All of it would take what a few frames happen to show, and leave out what they do not.
HALFWAY = 0.5


class Calibration:
    """Which colours and batch norm statistics a stream is taught with.

    ``colours`` are the stream's where its pictures are taken to those of the segmenter's
    training (``part_way``'s where they are not taken all the way), else None; ``head`` is the
    segmenter's with other statistics where these are changed, else None.  ``settled`` from the
    start where neither can be or is ``wanted``.
    """

    def __init__(
        self, segmenter: Segmenter, tau: float, colours: bool, statistics: bool,
        colours_share: float = 1.0,
    ) -> None:
        """``colours`` and ``statistics``: what may be changed; the colours by so much, 0..1."""
        self.colours: Colours | None = None
        self.head: Head | None = None
        self._segmenter = segmenter
        self._tau = tau
        self._encoder = segmenter  # recolours, once the colours have been seen
        self._labeller = IssLabeller(segmenter.head)
        self._colours_share = colours_share
        self._tries_colours = colours and segmenter.trained_on is not None
        self._tries_statistics = statistics
        self._seen: Colours | None = None
        self._moved: Head | None = None  # on trial
        self._tried: list[Labelled] = []

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to try."""
        return not (self._tries_colours or self._tries_statistics)

    @property
    def changes(self) -> bool:
        """Whether the stream is taught otherwise than it came."""
        return self.colours is not None or self.head is not None

    def try_next(self, pictures: Sequence[Tensor], plain: Sequence[Labelled]) -> list[Labelled]:
        """Label one more of the first ``pictures`` in another way.

        ``pictures`` are uint8 [H, W, 3], all that take part, and ``plain`` what has been made of
        them so far.  After the last one a way is settled; returns what the segmenter makes of all
        of them then, where it is chosen, else an empty list.
        """
        if self._tries_colours:
            return self._try_colours(pictures, plain)
        return self._try_statistics(pictures, plain)

    def teach(self, picture: Tensor, features: Features | None = None) -> Labelled:
        """Return what the segmenter that teaches makes of a picture.

        ``features`` are the picture's in the colours that came; None: they are not at hand.
        """
        if features is None or self._encoder is not self._segmenter:
            features = self._encoder.encode(picture)
        return self._labelled(self._labeller, features, picture)

    def picture(self, picture: Tensor) -> Tensor:
        """Return a picture, uint8 [H, W, 3], in the colours that were chosen."""
        wanted = self._segmenter.trained_on
        if self.colours is None or wanted is None:
            return picture
        return recolour(picture, self.colours, wanted)

    def _try_colours(
        self, pictures: Sequence[Tensor], plain: Sequence[Labelled],
    ) -> list[Labelled]:
        wanted = self._segmenter.trained_on
        if self._seen is None and wanted is not None:
            self._seen = part_way(Colours.of(pictures), wanted, self._colours_share)
            self._encoder = self._segmenter.recoloured(self._seen)
        self._tried.append(self.teach(pictures[len(self._tried)]))
        if len(self._tried) < len(pictures):
            return []
        self._tries_colours = False
        tried = self._surer("pictures in the colours of the segmenter's training", plain, SURER)
        if tried:
            self.colours = self._seen
        else:
            self._encoder = self._segmenter
        return tried

    def _try_statistics(
        self, pictures: Sequence[Tensor], plain: Sequence[Labelled],
    ) -> list[Labelled]:
        if self._moved is None:
            self._moved = with_statistics(
                self._segmenter.head, [each.features for each in plain], HALFWAY)
            self._trial = IssLabeller(self._moved)
        at = len(self._tried)
        self._tried.append(self._labelled(self._trial, plain[at].features, pictures[at]))
        if len(self._tried) < len(pictures):
            return []
        self._tries_statistics = False
        tried = self._surer(
            "batch norm half the way to the stream's statistics", plain, SURER_BY_STATISTICS)
        if tried:
            self.head, self._labeller = self._moved, self._trial
        del self._moved, self._trial
        return tried

    def _surer(self, what: str, plain: Sequence[Labelled], by: float) -> list[Labelled]:
        """Return what was tried where it is surer than ``plain`` by so much, else nothing."""
        before, after = (
            torch.stack([each.reliability.mean() for each in labelled]).mean().item()
            for labelled in (plain, self._tried))
        tried, self._tried = self._tried, []
        chosen = after >= before + by
        _log.info('%s: reliability %.3f, %.3f before; %s', what, after, before,
                  'taken' if chosen else 'not taken')
        return tried if chosen else []

    @torch.no_grad()
    def _labelled(self, labeller: IssLabeller, features: Features, picture: Tensor) -> Labelled:
        size_px = (picture.shape[0], picture.shape[1])
        features = batch(self._segmenter.head, features)
        return Labelled(features, *labeller.label(features, size_px, self._tau))


@torch.no_grad()
def with_statistics(head: Head, frames: Sequence[Features], share: float) -> Head:
    """Return a copy of ``head`` with batch norm statistics a ``share`` of the way to the frames'.

    These are the mean over the frames of each one's own mean and (unbiased) variance.
    """
    meter, moved = copy.deepcopy(head), copy.deepcopy(head)
    meter.batch_norm.reset_running_stats()
    meter.batch_norm.momentum = None  # the mean of all
    meter.batch_norm.train()
    for features in frames:
        meter(batch(meter, features))
    for name in ('running_mean', 'running_var'):
        moved.batch_norm.get_buffer(name).lerp_(meter.batch_norm.get_buffer(name), share)
    return moved
