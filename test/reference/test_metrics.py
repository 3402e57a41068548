"""Metrics against the reference's."""

from __future__ import annotations

import numpy as np

from ditta_ros.evaluation.metrics import Confusion, VideoConsistency, from_vspw


def test_metrics_of_a_video(metrics_golden: dict[str, np.ndarray]) -> None:
    prediction, truth = metrics_golden['pred'], from_vspw(metrics_golden['raw_gt'])
    classes = metrics_golden['confusion'].shape[0]
    confusion = Confusion(classes)
    consistency = {8: VideoConsistency(8), 16: VideoConsistency(16)}
    for t in range(len(truth)):
        confusion.add(truth[t], prediction[t])
        for window in consistency.values():
            window.add(truth[t], prediction[t])

    np.testing.assert_array_equal(confusion.counts, metrics_golden['confusion'])
    for got, key in ((confusion.mean_iou(), 'miou'), (confusion.weighted_iou(), 'wiou'),
                     (consistency[8].mean(), 'mvc8'), (consistency[16].mean(), 'mvc16')):
        np.testing.assert_allclose(got, metrics_golden[key], rtol=0, atol=1e-9, err_msg=key)
