"""Metrics on cases small enough to count by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from ditta_ros.evaluation.metrics import (
    Confusion,
    Flicker,
    LabelError,
    ReliabilityCurve,
    VideoConsistency,
    frame_miou,
    from_vspw,
    share_different,
    share_same,
)

NAN = math.nan
NONE = 255

# name, truth, prediction, IoU per class, mIoU, wIoU; two rows of three pixels, three classes.
IOU_CASES = [
    ('all right', [[0, 0, 1], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]], [1, 1, NAN], 1, 1),
    ('all wrong', [[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]], [0, NAN, NAN], 0, 0),
    # Class 0: hit 2, truth 3, predicted 2. Class 1: hit 3, truth 3, predicted 4.
    ('one pixel lost', [[0, 0, 0], [1, 1, 1]], [[0, 0, 1], [1, 1, 1]],
     [2 / 3, 3 / 4, NAN], 17 / 24, 17 / 24),
    # Class 0: 1 of 2 + 1 - 1. Class 1: hit 3, truth 4, predicted 4, so 3 of 5.
    ('freq counts in wIoU', [[0, 0, 1], [1, 1, 1]], [[0, 1, 2], [1, 1, 1]],
     [1 / 2, 3 / 5, NAN], 11 / 20, 2 / 6 * 1 / 2 + 4 / 6 * 3 / 5),
    # A class that is only predicted has no truth, so no part in the mean, but takes pixels.
    ('class without truth', [[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [2, 2, 2]],
     [1 / 2, NAN, NAN], 1 / 2, 1 / 2),
    ('unlabelled truth is left out', [[0, NONE, NONE], [1, 1, NONE]], [[0, 1, 0], [1, 1, 2]],
     [1, 1, NAN], 1, 1),
    ('unlabelled prediction is wrong', [[0, 0, 0], [1, 1, 1]], [[0, 0, NONE], [1, 1, 1]],
     [2 / 3, 1, NAN], 5 / 6, 5 / 6),
    ('no truth at all', [[NONE] * 3] * 2, [[0, 1, 2]] * 2, [NAN, NAN, NAN], NAN, NAN),
]


@pytest.mark.parametrize(
    ('truth', 'prediction', 'class_iou', 'miou', 'wiou'), [case[1:] for case in IOU_CASES],
    ids=[case[0] for case in IOU_CASES])
def test_iou(
    truth: list, prediction: list, class_iou: list, miou: float, wiou: float,
) -> None:
    confusion = Confusion(3)
    confusion.add(np.array(truth, np.uint8), np.array(prediction, np.uint8))
    np.testing.assert_allclose(confusion.class_iou(), class_iou, rtol=1e-12)
    np.testing.assert_allclose(confusion.mean_iou(), miou, rtol=1e-12)
    np.testing.assert_allclose(confusion.weighted_iou(), wiou, rtol=1e-12)


def test_one_confusion_over_all_frames() -> None:
    """The sum is measured, which is not the mean of the frames' mIoU."""
    confusion = Confusion(2)
    confusion.add(np.array([[0, 0, 0, 1]]), np.array([[0, 0, 0, 0]]))  # IoU 3/4 and 0
    confusion.add(np.array([[1, 1, 1, 1]]), np.array([[1, 1, 1, 1]]))  # IoU of class 1: 1
    np.testing.assert_array_equal(confusion.counts, [[3, 0], [1, 4]])
    assert confusion.mean_iou() == pytest.approx((3 / 4 + 4 / 5) / 2)


@pytest.mark.parametrize(('truth', 'prediction', 'says'), [
    ([[0, 1, 2]], [[0, 1]], r'one shape, got \[1, 3\] and \[1, 2\]'),
    ([[0, 3, 0]], [[0, 0, 0]], 'truth must be 0..2 or 255, got 0..3'),
    ([[0, 0, 0]], [[0, 0, 7]], 'prediction must be 0..2 or 255, got 0..7'),
])
def test_labels_that_do_not_fit(truth: list, prediction: list, says: str) -> None:
    with pytest.raises(LabelError, match=says):
        Confusion(3).add(np.array(truth, np.uint8), np.array(prediction, np.uint8))


def video(pixels: Sequence[str]) -> np.ndarray:
    """Turn one string per pixel, a digit per frame, into label maps [T, 1, pixels]."""
    return np.array([[int(digit) for digit in pixel] for pixel in pixels]).T[:, None, :]


# name, window, truth, prediction (each pixel's labels over the frames), mVC
MVC_CASES = [
    ('both hold still', 2, ['0000'], ['0000'], 1.0),
    # Windows start at 0 and 1 (range(len - n)); the change in the last frame is in neither.
    ('the last window is left out', 2, ['0000'], ['0001'], 1.0),
    ('one of two windows flickers', 2, ['0000'], ['0111'], 0.5),
    ('constant but wrong counts', 2, ['0000'], ['3333'], 1.0),
    # Pixel 2 moves in truth, so its flicker is not counted.
    ('moving truth is left out', 2, ['0000', '0101'], ['0000', '0123'], 1.0),
    # Window 0: truth still in both pixels, prediction in one: 1/2. Window 1: the same.
    ('share of pixels', 2, ['0000', '1111'], ['0000', '0101'], 0.5),
    # Window 0 (frames 0-1) has no still truth and is skipped; window 1: 1.
    ('empty window is skipped', 2, ['0111'], ['5222'], 1.0),
    # Windows count alike whatever their size: (1 + 0) / 2, although 2 of 3 pixels hold still.
    ('mean over windows, not pixels', 2, ['0011', '0000'], ['0012', '0010'], 0.5),
    ('too short for one window', 3, ['000'], ['000'], NAN),
    ('one window of three', 3, ['0000'], ['0010'], 0.0),
]


@pytest.mark.parametrize(
    ('window', 'truth', 'prediction', 'mvc'), [case[1:] for case in MVC_CASES],
    ids=[case[0] for case in MVC_CASES])
def test_mvc(window: int, truth: list, prediction: list, mvc: float) -> None:
    consistency = VideoConsistency(window)
    for true, predicted in zip(video(truth), video(prediction), strict=True):
        consistency.add(true, predicted)
    np.testing.assert_allclose(consistency.mean(), mvc)


def test_mvc_pools_the_windows_of_all_videos() -> None:
    consistency = VideoConsistency(2)
    for pixels in (['0000'], ['010']):  # windows: 1, 1; then 0
        for label in video(pixels):
            consistency.add(np.zeros_like(label), label)
        consistency.end_video()
    assert consistency.mean() == pytest.approx(2 / 3)


def test_mvc_against_the_definition() -> None:
    """Frame by frame gives what the definition gives on whole windows."""
    rng = np.random.default_rng(0)
    truth, prediction = (
        (rng.random((30, 5, 7)) < 0.1).cumsum(axis=0) % 3 for _ in range(2))
    shares = []
    for i in range(30 - 4):
        still = (truth[i:i + 4] == truth[i]).all(axis=0)
        both = still & (prediction[i:i + 4] == prediction[i]).all(axis=0)
        shares.append(both.sum() / still.sum())
    consistency = VideoConsistency(4)
    for t in range(30):
        consistency.add(truth[t], prediction[t])
    assert consistency.mean() == pytest.approx(np.mean(shares), abs=1e-7)


def test_flicker() -> None:
    flicker = Flicker()
    for label in ([[0, 0, 0, 0]], [[0, 0, 0, 1]], [[1, 1, 0, 1]]):  # 1/4, then 2/4
        flicker.add(np.array(label))
    assert flicker.mean() == pytest.approx(3 / 8)


def test_flicker_of_one_frame_is_unknown() -> None:
    flicker = Flicker()
    flicker.add(np.zeros((2, 3)))
    assert math.isnan(flicker.mean())


def test_vspw_masks() -> None:
    raw = np.array([[0, 1, 124], [255, 2, 0]], np.uint8)
    np.testing.assert_array_equal(from_vspw(raw), [[NONE, 0, 123], [NONE, 1, NONE]])


def test_shares_of_pixels() -> None:
    one, other = np.array([[0, 1, 2, 255]]), np.array([[0, 1, 1, 255]])
    assert share_different(one, other) == .25
    assert share_same(one, other) == .75


def test_miou_of_one_frame() -> None:
    truth, prediction = np.array([[0, 0, 1, NONE]]), np.array([[0, 1, 1, 1]])
    assert frame_miou(truth, prediction, 3) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert math.isnan(frame_miou(np.array([[NONE]]), np.array([[0]]), 3))


def test_reliability_curve() -> None:
    """Bins of 0.25: two pixels in the first, none in the next, one each in the last two."""
    curve = ReliabilityCurve(4)
    curve.add(np.array([[0, 0, 1, NONE]]), np.array([[0, 1, 1, 1]]),
              np.array([[0.0, .2, .5, .9]], np.float32))
    curve.add(np.array([[1]]), np.array([[NONE]]), np.array([[1.0]]))
    assert curve.points() == ((0.0, 2, 1), (.25, 0, 0), (.5, 1, 1), (.75, 1, 0))
    # |1 - 0.2|, |1 - 0.5| and |0 - 1| over four pixels
    assert curve.calibration_error() == pytest.approx((.8 + .5 + 1) / 4)


def test_reliability_curve_of_nothing() -> None:
    curve = ReliabilityCurve()
    assert len(curve.points()) == 20 and curve.points()[19] == (.95, 0, 0)
    assert math.isnan(curve.calibration_error())
    with pytest.raises(ValueError, match='bins must be >= 1, got 0'):
        ReliabilityCurve(0)
