"""In which colours the frozen segmenter teaches: found on the first frames of a warm-up.

Haze, a wrong exposure or white balance cost a segmenter more than anything that its head can
learn from the tracker's masks, so they are looked for first.  What tells them needs no truth: in
the colours of its training the segmenter is surer of its labels.  Where it is not, the pictures
stay as they came.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from ditta_ros.colours import Colours, recolour
from ditta_ros.labeller import IssLabeller, Labelled
from ditta_ros.segmenter import Segmenter

_log = logging.getLogger(__name__)

FRAMES = 5  # a shorter warm-up decides on what it has
SURER = 0.015  # mean reliability gained, from which the colours are changed


class Calibration:
    """Whether a stream's pictures are taken to the colours of the segmenter's training.

    ``colours`` are the stream's where they are, else None.  ``settled`` from the start where the
    model does not tell the colours of its training, or ``wanted`` is False.
    """

    def __init__(self, segmenter: Segmenter, tau: float, wanted: bool) -> None:
        self.settled = segmenter.trained_on is None or not wanted
        self.colours: Colours | None = None
        self._segmenter = segmenter
        self._tau = tau
        self._seen: Colours | None = None
        self._encoder = segmenter  # recolours, once the colours have been seen
        self._labeller: IssLabeller | None = None
        self._tried: list[Labelled] = []

    def try_next(self, pictures: Sequence[Tensor], plain: Sequence[Tensor]) -> list[Labelled]:
        """Label one more of the first ``pictures`` in the other colours.

        ``pictures`` are uint8 [H, W, 3], all that take part, and ``plain`` their reliabilities
        [H, W] as they came.  After the last it is settled; returns what the segmenter makes of all
        of them in the other colours where those are chosen, else an empty list.
        """
        if self._seen is None:
            self._seen = Colours.of(pictures)
            self._encoder = self._segmenter.recoloured(self._seen)
        self._tried.append(self.teach(pictures[len(self._tried)]))
        if len(self._tried) < len(pictures):
            return []
        self.settled, tried = True, self._tried
        before = torch.stack([each.mean() for each in plain]).mean().item()
        after = torch.stack([each.reliability.mean() for each in tried]).mean().item()
        self._tried = []
        if after < before + SURER:
            _log.info('the colours stay as they come: reliability %.3f, %.3f in the colours of '
                      "the segmenter's training", before, after)
            return []
        self.colours = self._seen
        _log.info("pictures are taken to the colours of the segmenter's training: reliability "
                  '%.3f instead of %.3f', after, before)
        return tried

    @torch.no_grad()
    def teach(self, picture: Tensor) -> Labelled:
        """Return what the frozen segmenter makes of a picture in the colours of its training."""
        if self._labeller is None:
            self._labeller = IssLabeller(self._segmenter.head)
        features = self._encoder.encode(picture)
        size_px = (picture.shape[0], picture.shape[1])
        return Labelled(features, *self._labeller.label(features, size_px, self._tau))

    def picture(self, picture: Tensor) -> Tensor:
        """Return a picture, uint8 [H, W, 3], in the colours that were chosen."""
        wanted = self._segmenter.trained_on
        if self.colours is None or wanted is None:
            return picture
        return recolour(picture, self.colours, wanted)
