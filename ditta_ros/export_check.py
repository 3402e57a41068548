"""An exported network against the labeller that it was made of, on frames of the demo world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ditta_ros.demo.world import stream
from ditta_ros.export_network import Size
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.segmenter import Segmenter

FRAMES, SEED = 8, 31
AGREE = 0.999  # share of pixels that must be labelled alike, in every frame


@dataclass(frozen=True)
class Agreement:
    """How far two ways of labelling agree, as shares of a frame's pixels in 0..1."""

    size_px: Size
    frames: int
    mean: float
    worst: float  # of one frame
    reliability_apart: float  # the largest difference of one pixel

    @property
    def good(self) -> bool:
        """Whether the export may stand for the labeller."""
        return self.worst >= AGREE

    def __str__(self) -> str:
        return (
            f'labels equal on {100 * self.mean:.3f} % of the pixels of {self.frames} frames of '
            f'the demo world at {self.size_px[0]}x{self.size_px[1]}, {100 * self.worst:.3f} % in '
            f'the worst; reliabilities at most {self.reliability_apart:.1e} apart')


def compare(
    path: Path, segmenter: Segmenter, labeller: IssLabeller | TemporalLabeller, tau: float,
    size_px: Size, frames: int = FRAMES,
) -> Agreement:
    """Label a stream of ``size_px`` (H, W) with the file ``path`` and with ``labeller``.

    Each carries its own past from frame to frame.  Needs onnxruntime.
    """
    exported = _Exported(path)
    equal, apart = [], []
    for image in stream(SEED, frames, size_px=size_px):
        features = segmenter.encode(torch.from_numpy(image.rgb))
        label, reliability = (each.numpy() for each in labeller.label(features, size_px, tau))
        ours, certainty = exported.label(image.rgb)
        equal.append(float((ours == label).mean()))
        apart.append(float(np.abs(certainty - reliability).max()))
    return Agreement(size_px, frames, float(np.mean(equal)), min(equal), max(apart))


class _Exported:
    """The file in onnxruntime, on the CPU, with the past that it is given again."""

    def __init__(self, path: Path) -> None:
        import onnxruntime  # an extra: see export.py
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self._session = onnxruntime.InferenceSession(
            path, options, providers=['CPUExecutionProvider'])
        _, *past = self._session.get_inputs()
        self._past: Sequence[np.ndarray] = [np.zeros(each.shape, np.float32) for each in past]
        self._names = [each.name for each in past]

    def label(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return label [H, W] and reliability [H, W] of the next frame, uint8 [H, W, 3]."""
        given = {'rgb': rgb[None], **dict(zip(self._names, self._past, strict=True))}
        label, reliability, *self._past = self._session.run(None, given)
        return label[0], reliability[0]
