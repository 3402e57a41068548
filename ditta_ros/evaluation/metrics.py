"""Metrics of video semantic segmentation, in numpy alone.

Label maps are integer arrays [H, W]: 0..C-1 are classes, ``UNLABELLED`` (255) is none.  A truth
pixel that is unlabelled is not evaluated; a prediction that is unlabelled on a labelled truth
pixel is wrong.  Everything accumulates frame by frame, so a stream of any length fits.
"""

from __future__ import annotations

import numpy as np

from ditta_ros.labels import UNLABELLED


class LabelError(ValueError):
    """Label maps do not fit each other or the classes."""


def from_vspw(raw: np.ndarray) -> np.ndarray:
    """Return the labels of a VSPW mask: raw 1..124 are classes 0..123; 0 and 255 are none."""
    label = raw.astype(np.int64) - 1
    label[(raw == 0) | (raw == 255)] = UNLABELLED
    return label


class Confusion:
    """Pixel counts, truth class by predicted class, over everything that was added."""

    def __init__(self, classes: int) -> None:
        """Raises LabelError where a label map in 8 bit cannot hold so many ``classes``."""
        if not 1 <= classes <= UNLABELLED:
            raise LabelError(
                f'metrics count 1 to {UNLABELLED} classes, got {classes}: merge classes first')
        self.classes = classes
        # The last column counts labelled truth that the prediction left unlabelled.
        self._counts = np.zeros((classes, classes + 1), np.int64)

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Count one frame (or several): ``truth`` and ``prediction`` are label maps of one shape.

        Raises LabelError where the shapes differ or a label is neither a class nor unlabelled.
        """
        if truth.shape != prediction.shape:
            raise LabelError(
                f'truth and prediction must have one shape, got {list(truth.shape)} and '
                f'{list(prediction.shape)}: label the frames at the size of their truth')
        valid = truth != UNLABELLED
        true = truth[valid].astype(np.int64)
        predicted = prediction[valid].astype(np.int64)
        predicted[predicted == UNLABELLED] = self.classes
        for name, label, high in (('truth', true, self.classes - 1),
                                  ('prediction', predicted, self.classes)):
            if label.size and not 0 <= label.min() <= label.max() <= high:
                raise LabelError(
                    f'{name} must be 0..{self.classes - 1} or {UNLABELLED}, got '
                    f'{label.min()}..{label.max()}: map its labels first')
        width = self.classes + 1
        counts = np.bincount(true * width + predicted, minlength=self.classes * width)
        self._counts += counts.reshape(self.classes, width)

    @property
    def counts(self) -> np.ndarray:
        """int64 [C, C]: pixels of truth class (row) predicted as class (column)."""
        return self._counts[:, :self.classes].copy()

    def class_iou(self) -> np.ndarray:
        """float64 [C]: intersection over union; NaN for a class without ground truth."""
        hit = np.diag(self._counts).astype(np.float64)
        truth = self._counts.sum(axis=1)
        union = truth + self._counts[:, :self.classes].sum(axis=0) - hit
        return np.where(truth > 0, hit / np.maximum(union, 1), np.nan)

    def mean_iou(self) -> float:
        """Return mIoU: the mean over classes with ground truth; NaN where there is none."""
        present = self._counts.sum(axis=1) > 0
        return float(self.class_iou()[present].mean()) if present.any() else float('nan')

    def weighted_iou(self) -> float:
        """Return wIoU: sum over classes of (share of the truth's pixels) * IoU."""
        truth = self._counts.sum(axis=1)
        if not truth.any():
            return float('nan')
        return float(np.nansum(truth / truth.sum() * self.class_iou()))


class VideoConsistency:
    """mVC_n: how often the prediction holds still where the truth does.

    Per window of ``window_frames`` n: |prediction constant AND truth constant| / |truth constant|,
    constancy alone, not correctness.  Windows start at range(len - n) of each video: the last
    one is left out, as in the reference.  The mean is over the windows of all videos; a window in
    which no truth pixel is constant is skipped.  Unlabelled is a value like any other.
    """

    def __init__(self, window_frames: int) -> None:
        if window_frames < 1:
            raise ValueError(f'window_frames must be >= 1, got {window_frames}')
        self.window_frames = window_frames
        self._shares: list[float] = []
        self.end_video()

    def end_video(self) -> None:
        """Start a new video: no window spans two."""
        self._truth: np.ndarray | None = None
        self._prediction: np.ndarray | None = None
        self._truth_run = self._prediction_run = np.zeros(())

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Add the next frame's label maps [H, W]."""
        # A window counts once the frame after it arrives; this leaves out each video's last.
        still = self._truth_run >= self.window_frames
        if still.any():
            both = still & (self._prediction_run >= self.window_frames)
            # Divided in single precision, as the reference values were.
            self._shares.append(float(np.float32(both.sum()) / np.float32(still.sum())))
        self._truth_run = _run_length(self._truth, truth, self._truth_run)
        self._prediction_run = _run_length(self._prediction, prediction, self._prediction_run)
        self._truth, self._prediction = truth.copy(), prediction.copy()

    def mean(self) -> float:
        """Return mVC in 0..1; NaN where no window was complete."""
        return float(np.mean(self._shares)) if self._shares else float('nan')


def _run_length(
    before: np.ndarray | None, label: np.ndarray, run: np.ndarray,
) -> np.ndarray:
    """Return int64 [H, W]: for how many frames each pixel has had the label it has now."""
    if before is None:
        return np.ones(label.shape, np.int64)
    return np.where(label == before, run + 1, 1)


class Flicker:
    """Share of pixels whose label differs from the frame before; needs no truth."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._shares: list[float] = []

    def add(self, prediction: np.ndarray) -> None:
        """Add the next frame's label map [H, W]."""
        if self._before is not None:
            self._shares.append(share_different(self._before, prediction))
        self._before = prediction.copy()

    def mean(self) -> float:
        """Return the mean over pairs of frames, in 0..1; NaN with fewer than two frames."""
        return float(np.mean(self._shares)) if self._shares else float('nan')


def share_different(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of pixels, 0..1, whose labels differ between two maps of one shape."""
    return float(np.mean(one != other))


def share_same(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share of pixels, 0..1, labelled alike in two maps of one shape."""
    return 1 - share_different(one, other)


def frame_miou(truth: np.ndarray, prediction: np.ndarray, classes: int) -> float:
    """Return the mIoU of one frame by itself, over the classes that its truth has; NaN without."""
    confusion = Confusion(classes)
    confusion.add(truth, prediction)
    return confusion.mean_iou()


class ReliabilityCurve:
    """How often a pixel is labelled right, by the reliability that its label claims.

    Reliability 0..1 is counted in ``bins`` of one width; 1 falls in the last.  A truth pixel that
    is unlabelled is left out; a prediction that is unlabelled on a labelled one is wrong.
    """

    def __init__(self, bins: int = 20) -> None:
        if bins < 1:
            raise ValueError(f'bins must be >= 1, got {bins}')
        self.bins = bins
        self._pixels = np.zeros(bins, np.int64)
        self._correct = np.zeros(bins, np.int64)
        self._reliability_sum = np.zeros(bins)

    def add(self, truth: np.ndarray, prediction: np.ndarray, reliability: np.ndarray) -> None:
        """Count one frame: label maps [H, W] and reliability [H, W] in 0..1."""
        valid = truth != UNLABELLED
        claimed = reliability[valid].astype(np.float64)
        index = np.clip((claimed * self.bins).astype(np.int64), 0, self.bins - 1)
        right = index[truth[valid] == prediction[valid]]
        self._pixels += np.bincount(index, minlength=self.bins)
        self._correct += np.bincount(right, minlength=self.bins)
        self._reliability_sum += np.bincount(index, claimed, self.bins)

    def points(self) -> tuple[tuple[float, int, int], ...]:
        """Return for every bin its left edge, its pixels and how many of these are right."""
        return tuple(
            (index / self.bins, int(pixels), int(correct))
            for index, (pixels, correct) in enumerate(
                zip(self._pixels, self._correct, strict=True)))

    def calibration_error(self) -> float:
        """Return the expected calibration error in 0..1; NaN where nothing was counted.

        It is the mean over pixels of |share that is right - mean reliability| of the pixel's bin.
        """
        total = self._pixels.sum()
        if not total:
            return float('nan')
        return float(np.abs(self._correct - self._reliability_sum).sum() / total)
