"""The two ways to label a frame from its backbone features: before and after adaptation.

With a ``mapping``, labels and reliabilities are of its target classes; the head, and what is kept
of the frame before, stay in the model's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ditta_ros.folded import FoldedHead
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Features, Head
from ditta_ros.temporal import attend_frame, decide

Run = Callable[..., Any]
"""Calls its first argument with the others, in one way or another."""


def directly(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function`` as it is."""
    return function(*arguments)


class Labelled(NamedTuple):
    """A frame's features, and what was made of them."""

    features: Features
    label: Tensor  # [H, W]
    reliability: Tensor  # float32 [H, W], 0..1 (Eq. 2)


class IssLabeller:
    """The image segmenter as it came: every frame by itself."""

    name = 'iss'

    def __init__(self, head: Head, mapping: ClassMapping | None = None) -> None:
        """Fold ``head`` as it is now; it may change afterwards."""
        self._head = FoldedHead.fold(head)
        self._mapping = mapping

    @torch.no_grad()
    def label(
        self, features: Features, size_px: tuple[int, int], tau: float, run: Run = directly,
    ) -> tuple[Tensor, Tensor]:
        """Return label [H, W] and reliability float32 [H, W] of one frame (Eq. 2).

        ``run`` calls what the head computes.
        """
        logits = run(FoldedHead.alone, self._head, features)  # [h, w, C]
        return decide(_class_maps(logits, self._mapping), None, size_px, tau)

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""


class Past(NamedTuple):
    """What the next frame needs of a frame; nothing of it is computed twice."""

    key: Tensor  # [h, w, D]
    logits: Tensor  # [h, w, C]


class TemporalLabeller:
    """An adapted head with the add-on: each frame fused with the one before (Eq. 1, 3)."""

    name = 'adapted'

    def __init__(self, head: Head, mapping: ClassMapping | None = None) -> None:
        """Fold ``head`` as it is now; it may change afterwards."""
        self._head = FoldedHead.fold(head)
        self._mapping = mapping
        self._past: Past | None = None

    @torch.no_grad()
    def label(
        self, features: Features, size_px: tuple[int, int], tau: float, run: Run = directly,
    ) -> tuple[Tensor, Tensor]:
        """Return label [H, W] and reliability float32 [H, W] of the next frame.

        ``run`` calls what the head computes; the attention and the decision are in float32.
        """
        logits, query, key = run(FoldedHead.in_sequence, self._head, features)  # [h, w, C or D]
        carried = None
        if self._past is not None:
            carried = _class_maps(
                attend_frame(query, self._past.key, self._past.logits), self._mapping)
        self._past = Past(key, logits)
        return decide(_class_maps(logits, self._mapping), carried, size_px, tau)

    def forget(self) -> None:
        """Drop the previous frame: the next one does not follow it."""
        self._past = None


def _class_maps(logits: Tensor, mapping: ClassMapping | None) -> Tensor:
    """Return logits [h, w, C], merged by ``mapping``, as a batch of one, [1, C', h, w]."""
    merged = logits if mapping is None else mapping.merge(logits)
    return merged.movedim(-1, 0)[None]
