"""What an evaluation asks of a method; ``session.Session`` is one."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from ditta_ros.frame import Frame
from ditta_ros.labels import LabelSet
from ditta_ros.session import Segmentation


class Method(Protocol):
    """Labels one stream, learning from its warm-up.

    As with ``Session``: ``feed`` labels at once with what has been learnt so far, ``work`` learns
    in units between frames, and one thread calls all.
    """

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the labels."""

    @property
    def device(self) -> torch.device:
        """Where frames are segmented; ``Frame.from_array`` uploads to it."""

    @property
    def next_unit(self) -> str:
        """Kind of the next unit of ``work``: 'track', 'learn' or 'none'."""

    def feed(self, frame: Frame) -> Segmentation:
        """Label a frame; remember it while warming up."""

    def work(self) -> bool:
        """Do one unit of learning; False where there is nothing to do now."""

    def end_of_stream(self) -> None:
        """Close a warm-up that is still open with the frames it has: no more will come."""

    def status(self) -> dict[str, Any]:
        """Where the stream is, as plain values that JSON can hold.

        At least ``phase`` and ``why``, ``promoted`` (whether something else than the plain
        segmenter labels, frozen), ``warm_up_frames``, ``objects`` and ``adaptation_steps``.
        """

    def close(self) -> None:
        """Free the memory of the stream."""
