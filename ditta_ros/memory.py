"""How much memory a warm-up will take at most, computed before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from ditta_ros.labels import label_dtype
from ditta_ros.segmenter import Features, Head
from ditta_ros.settings import AdaptationSettings, Settings
from ditta_ros.temporal import TILE_COLUMNS, TILE_ROWS, WINDOW_RADIUS

FLOAT_BYTES = 4
# Full-sized class maps alive at once while a step learns: of each of two scores the upsampled
# ones, their softmax, the loss's logarithm and its gradient.
CLASS_MAPS = 8
# The same for maps [K, H, W] of the contrastive loss, K objects on the frame.
OBJECT_MAPS = 6
# Floats [D, h, w] alive at once of each of the two frames: stages before and after upsampling and
# side by side, the fused feature with its norm and ReLU, add-on and projection layers, and as
# many gradients.
FEATURE_MAPS = 34


@dataclass(frozen=True)
class WarmUpMemory:
    """Bounds on what the parts of a warm-up hold, in MB (1e6 bytes), without the networks.

    ``features``: the backbone's, of all frames; ``frames``: images, labels, reliabilities and
    targets; ``tracker``: features of the backward buffer and memories of the objects; ``step``:
    one step of the optimiser.  The objects' packed masks depend on their shapes and are not
    counted.
    """

    frames: int
    features_mb: float
    frames_mb: float
    tracker_mb: float
    step_mb: float
    learns_while_tracking: bool

    @property
    def total_mb(self) -> float:
        """The peak: the tracker is freed before the first step, unless they take turns."""
        working = (self.tracker_mb, self.step_mb)
        return self.features_mb + self.frames_mb + (
            sum(working) if self.learns_while_tracking else max(working))

    def __str__(self) -> str:
        """Return one line for the log."""
        return (
            f'a warm-up of {self.frames} frames takes up to {self.total_mb:.0f} MB beside the '
            f'networks: features {self.features_mb:.0f}, frames {self.frames_mb:.0f}, '
            f'tracking {self.tracker_mb:.0f}, '
            f'{"and" if self.learns_while_tracking else "or later"} a step of learning '
            f'{self.step_mb:.0f}')


def warm_up_memory(
    settings: Settings, head: Head, features: Features, size_px: tuple[int, int], frames: int,
    tracker_mb: float,
) -> WarmUpMemory:
    """Return the bounds for a warm-up of ``frames`` frames of ``size_px`` (H, W).

    ``features`` are those of one frame as they are kept, ``tracker_mb`` is what the tracker may
    hold.
    """
    height, width = size_px
    pixels = height * width
    label_bytes = label_dtype(head.classifier.weight.shape[0]).itemsize
    # uint8 RGB, the plain model's label, the teacher's and the target, float32 reliability, int16
    # object ids
    per_frame = pixels * (3 + 3 * label_bytes + FLOAT_BYTES + 2)
    kept = sum(stage.nbytes for stage in features)
    return WarmUpMemory(
        frames, frames * kept / 1e6, frames * per_frame / 1e6, tracker_mb,
        _step_bytes(settings, head, features, pixels) / 1e6,
        settings.adaptation.when == 'while_warming_up')


def head_mb(head: Head, rule: AdaptationSettings) -> float:
    """Return what learning holds beside ``head`` itself, whatever the frames' size.

    A copy that learns, its gradient, its average and the optimiser's two moments; a copy of all
    but the gradient, for a step that has to be taken back; the head as it was before; the one that
    teaches with the stream's statistics; and that of the best pass, where learning may stop early.
    """
    heads = 11 + rule.early_stop
    return heads * FLOAT_BYTES * sum(parameter.numel() for parameter in head.parameters()) / 1e6


def _step_bytes(settings: Settings, head: Head, features: Features, pixels: int) -> int:
    classes, dim = head.classifier.weight.shape[:2]
    grid = features[0].shape[2] * features[0].shape[3]
    keys = (TILE_ROWS + 2 * WINDOW_RADIUS) * (TILE_COLUMNS + 2 * WINDOW_RADIUS)
    # A frame shows rarely more objects than classes; max_objects is for the whole warm-up.
    objects = min(settings.tracker.max_objects, classes)
    floats = (
        CLASS_MAPS * classes * pixels + FEATURE_MAPS * 2 * dim * grid
        # of the add-on: the scores, their softmax and its gradient; the windows of keys and values
        + 3 * keys * grid + 2 * keys // (TILE_ROWS * TILE_COLUMNS) * (dim + classes) * grid)
    if settings.adaptation.contrast_weight > 0:
        floats += OBJECT_MAPS * objects * pixels
    return FLOAT_BYTES * floats + round(1e6 * head_mb(head, settings.adaptation))
