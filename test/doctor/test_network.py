"""Findings about what a survey has seen; the survey itself is tested over DDS in test/ros."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ditta_ros.doctor import network
from ditta_ros.doctor.finding import State
from ditta_ros.doctor.seen import Endpoint, ImageTopic, from_json, to_json

DRIVER = Endpoint('/cam/driver', 'best_effort', 'volatile')
DITTA = Endpoint('/ditta', 'best_effort', 'volatile')
COSTMAP = Endpoint('/local_costmap/local_costmap', 'reliable', 'volatile')
CAMERA = ImageTopic(
    '/cam/image_raw', 'Image', (DRIVER,), (DITTA,), 3.0, 45, 14.96, '1280x720 bgr8')
MASK = ImageTopic('/segmentation/mask', 'Image', (replace(DITTA, reliability='reliable'),),
                  (COSTMAP,))


def test_topics_come_through_as_they_are() -> None:
    assert from_json(to_json([CAMERA, MASK])) == [CAMERA, MASK]


def test_a_camera_with_its_rate_and_qos() -> None:
    (found,) = network.cameras([CAMERA, MASK])
    assert (found.name, found.state, found.seen) == (
        'camera /cam/image_raw', State.OK,
        'Image 1280x720 bgr8, 15.0 Hz, by /cam/driver (best_effort, volatile)')


@pytest.mark.parametrize(('changes', 'state', 'seen'), [
    ({'images': 0, 'rate_hz': None}, State.PROBLEM, 'no image came in 3 s'),
    ({'images': 1, 'rate_hz': None}, State.OK, 'a single image'),
    ({'listened_s': 0.0}, State.NOTE, 'not listened to'),
    ({'publishers': (DRIVER, DRIVER)}, State.NOTE, 'several cameras in one stream'),
])
def test_a_camera_with_a_fault(changes: dict, state: State, seen: str) -> None:
    (found,) = network.cameras([replace(CAMERA, **changes)])
    assert found.state is state and seen in found.seen


def test_a_node_that_listens_where_nobody_speaks_is_sent_to_the_camera() -> None:
    silent = ImageTopic('/image', 'Image', (), (DITTA,))
    found = network.cameras([replace(CAMERA, subscriptions=()), silent])[1]
    assert (found.name, found.state) == ('camera /image', State.PROBLEM)
    assert found.remedy == 'ros2 launch ditta_ros ditta.launch.py image:=/cam/image_raw'
    (alone,) = network.cameras([silent])
    assert (alone.state, alone.remedy) == (State.NOTE, 'start the camera')


def test_no_camera_at_all() -> None:
    (found,) = network.cameras([MASK])
    assert (found.name, found.state) == ('cameras', State.NOTE)


def test_readers_of_the_mask() -> None:
    (found,) = network.readers([CAMERA, MASK])
    assert (found.state, found.seen) == (
        State.OK, '/local_costmap/local_costmap (reliable, volatile)')
    (waits,) = network.readers([replace(MASK, publishers=())])
    assert waits.state is State.NOTE and 'nobody publishes it' in waits.seen
    latched = Endpoint('/viewer', 'reliable', 'transient_local', 'durability does not fit')
    (deaf,) = network.readers([replace(MASK, subscriptions=(latched,))])
    assert deaf.state is State.PROBLEM and 'durability does not fit' in deaf.seen
    (none,) = network.readers([CAMERA])
    assert none.state is State.NOTE
