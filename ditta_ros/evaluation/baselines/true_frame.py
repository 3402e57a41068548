"""A frame that brings its truth, for the one method that may look at it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ditta_ros.evaluation.source import SourceFrame
from ditta_ros.frame import Frame, enlarge


@dataclass(frozen=True)
class TrueFrame(Frame):
    """A frame for every method; ``truth`` is read by ``true_labels`` alone.

    ``truth`` is uint8 [H, W], on any device: classes of the segmenter, 255 unlabelled; None where
    the source has none of this frame.
    """

    truth: Tensor | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        truth = self.truth
        if truth is not None and (
                truth.dtype != torch.uint8 or tuple(truth.shape) != self.size_px):
            raise ValueError(
                f'truth is uint8 {list(self.size_px)} like its frame, got {truth.dtype} '
                f'{list(truth.shape)}: convert it first')

    @classmethod
    def of(cls, frame: SourceFrame, device: torch.device | str = 'cpu') -> TrueFrame:
        """Upload a source's frame, with its truth where it has one."""
        image = Frame.from_array(frame.rgb, frame.stamp_ns, frame.frame_id, device)
        truth = None if frame.label is None else torch.from_numpy(frame.label.copy()).to(device)
        return cls(image.stamp_ns, image.frame_id, image.rgb, truth)

    def shrunk(self, max_side_px: int) -> Frame:
        """Return the frame shrunk, its truth to the nearest pixel."""
        small = super().shrunk(max_side_px)
        if small is self or self.truth is None:
            return small
        unused = torch.zeros(self.size_px, device=self.truth.device)
        truth, _ = enlarge(self.truth, unused, small.size_px)
        return TrueFrame(small.stamp_ns, small.frame_id, small.rgb, truth)
