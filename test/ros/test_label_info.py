"""The names of the labels, latched; or a word where vision_msgs is missing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from rclpy.context import Context

from ditta_ros.labels import LabelSet, default_palette
from ditta_ros.ros.label_info import TOPIC, LabelInfo
from ditta_ros.ros.qos import LATCHED
from listening import Pair

LABELS = LabelSet(('road', 'sky'), default_palette(2))


@pytest.fixture
def pair(context: Context) -> Iterator[Pair]:
    pair = Pair(context)
    yield pair
    pair.close()


def test_the_names_are_there_before_the_node_is_active_and_for_who_comes_late(pair: Pair) -> None:
    vision_msgs = pytest.importorskip(
        'vision_msgs.msg', reason='vision_msgs is part of a ROS 2 distribution, not of PyPI')
    label_info = LabelInfo(pair.node)
    label_info.publish(LabelSet(('old',), default_palette(1)))
    label_info.publish(LABELS)
    heard = pair.hear(vision_msgs.LabelInfo, TOPIC, LATCHED)
    pair.until(lambda: heard)
    message, = heard
    assert [(each.class_id, each.class_name) for each in message.class_map] == [
        (0, 'road'), (1, 'sky')]
    assert message.threshold == 0.0


@pytest.mark.skipif(find_spec('vision_msgs') is not None, reason='vision_msgs is installed')
def test_without_vision_msgs_that_is_said_once(
    pair: Pair, capfd: pytest.CaptureFixture,
) -> None:
    label_info = LabelInfo(pair.node)
    label_info.publish(LABELS)
    label_info.publish(LABELS)
    assert capfd.readouterr().err.count(f'no {TOPIC}: vision_msgs is not installed') == 1
    assert pair.node.count_publishers(TOPIC) == 0
