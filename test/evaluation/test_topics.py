from __future__ import annotations

from ditta_ros.evaluation.topics import TRUTH_TOPIC, camera_topics


def test_truth_and_results_are_no_camera() -> None:
    assert camera_topics([
        '/camera/image_raw', TRUTH_TOPIC, '/segmentation/mask', '/front/segmentation/overlay',
        '/segmentation_camera/image'],
    ) == ['/camera/image_raw', '/segmentation_camera/image']
