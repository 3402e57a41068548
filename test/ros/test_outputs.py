"""What the node publishes, over DDS in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time
from rclpy.context import Context
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from ditta_ros.frame import Frame
from ditta_ros.groups import Groups
from ditta_ros.labels import LabelSet, default_palette
from ditta_ros.ros.outputs import Outputs
from ditta_ros.ros.qos import IMAGE_OUT, LATCHED
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Segmentation, Session
from ditta_ros.settings import AdaptationSettings, Settings, WarmUpSettings
from fakes import InstanceTracker
from listening import Pair
from random_models import save_random_segformer

HEADER = Header(stamp=Time(sec=3, nanosec=4), frame_id='front')
LABEL = torch.tensor([[0, 1, 255], [1, 0, 1]], dtype=torch.uint8)
RELIABILITY = torch.tensor([[0.0, 0.5, 1.0], [0.1, 0.2, 0.3]])
RGB = torch.full((2, 3, 3), 100, dtype=torch.uint8)
CLASSES = Groups.read('', LabelSet(('road', 'sky'), np.array(
    [[200, 0, 0], [0, 0, 200]], np.uint8)))


@pytest.fixture
def pair(context: Context) -> Iterator[Pair]:
    pair = Pair(context)
    yield pair
    pair.close()


def publish(outputs: Outputs, label: torch.Tensor, groups: Groups) -> None:
    frame = Frame(3_000_000_004, 'front', RGB)
    outputs.publish(
        HEADER, frame, Segmentation(3_000_000_004, 'front', label, RELIABILITY, Phase.FROZEN),
        groups, overlay_alpha=0.5)


def numbers(message: Image) -> list[int]:
    kind = np.uint8 if message.encoding == 'mono8' else np.uint16
    return np.frombuffer(message.data, kind).tolist()


def test_mask_and_confidence_are_packed_and_have_the_cameras_header(pair: Pair) -> None:
    outputs = Outputs(pair.node)
    pair.activate()
    masks, confidences = (
        pair.hear(Image, f'segmentation/{name}', IMAGE_OUT) for name in ('mask', 'confidence'))
    publish(outputs, LABEL, CLASSES)
    pair.until(lambda: masks and confidences)
    for message in (masks[0], confidences[0]):
        assert message.header == HEADER
        assert (message.height, message.width, message.step) == (2, 3, 3)
        assert message.encoding == 'mono8'
    assert numbers(masks[0]) == [0, 1, 255, 1, 0, 1]
    assert numbers(confidences[0]) == [0, 128, 255, 26, 51, 76]


def test_above_255_classes_the_mask_has_16_bit_unless_groups_bring_them_down(
    pair: Pair, tmp_path: Path,
) -> None:
    many = LabelSet.from_model_config({index: f'c{index}' for index in range(300)})
    file = tmp_path / 'groups.yaml'
    file.write_text('some: {classes: [c299, c0]}')
    outputs = Outputs(pair.node)
    pair.activate()
    masks = pair.hear(Image, 'segmentation/mask', IMAGE_OUT)
    label = torch.tensor([[0, 299, 65535], [255, 256, 1]], dtype=torch.int32)
    publish(outputs, label, Groups.read('', many))
    publish(outputs, label, Groups.read(str(file), many))
    pair.until(lambda: len(masks) == 2)
    assert (masks[0].encoding, masks[0].step) == ('mono16', 6)
    assert numbers(masks[0]) == [0, 299, 65535, 255, 256, 1]
    assert (masks[1].encoding, masks[1].step) == ('mono8', 3)
    assert numbers(masks[1]) == [0, 0, 255, 255, 255, 255]


class Watched(LabelSet):
    """A LabelSet that counts how often it painted."""

    painted = 0

    def colorize(self, label):
        type(self).painted += 1
        return super().colorize(label)


def test_color_and_overlay_are_painted_for_who_listens(pair: Pair) -> None:
    watched = Groups.read('', Watched(CLASSES.label_set.names, CLASSES.label_set.palette))
    outputs = Outputs(pair.node)
    pair.activate()
    publish(outputs, LABEL, watched)
    assert Watched.painted == 0
    colors = pair.hear(Image, 'segmentation/color', IMAGE_OUT)
    overlays = pair.hear(Image, 'segmentation/overlay', IMAGE_OUT)
    publish(outputs, LABEL, watched)
    pair.until(lambda: colors and overlays)
    assert Watched.painted == 1
    assert colors[0].header == overlays[0].header == HEADER
    assert (colors[0].encoding, colors[0].step) == ('rgb8', 9)
    assert list(colors[0].data)[:9] == [200, 0, 0, 0, 0, 200, 0, 0, 0]
    # Half the colour over a gray of 100; an unlabelled pixel stays as it is.
    assert list(overlays[0].data)[:9] == [150, 50, 50, 50, 50, 150, 100, 100, 100]


def test_the_status_is_latched_and_counts_points(pair: Pair) -> None:
    Outputs(pair.node).publish_status({'phase': 'frozen'})
    heard = pair.hear(String, 'segmentation/status', LATCHED)
    pair.until(lambda: heard)
    assert json.loads(heard[0].data) == {
        'phase': 'frozen', 'points': {'published': 0, 'dropped': 0, 'bad_messages': 0}}


def test_a_model_of_300_classes_adapts_and_its_labels_reach_the_mask(
    pair: Pair, tmp_path: Path,
) -> None:
    segmenter = Segmenter.load(str(save_random_segformer(tmp_path, classes=300)))
    size_px = (48, 64)
    generator = torch.Generator().manual_seed(1)
    frames = [Frame(t, 'front', torch.randint(
        0, 256, (*size_px, 3), generator=generator, dtype=torch.uint8)) for t in range(3)]
    session = Session(
        Settings(warm_up=WarmUpSettings(amount=2.0), tau=0.5,
                 adaptation=AdaptationSettings(passes=1, held_out_percent=0.0)),
        segmenter, InstanceTracker(torch.ones((3, *size_px), dtype=torch.int64)))
    outputs = Outputs(pair.node)
    pair.activate()
    masks = pair.hear(Image, 'segmentation/mask', IMAGE_OUT)
    groups = Groups.read('', session.label_set)
    for frame in frames:
        labelled = session.feed(frame)
        assert labelled.label.dtype == torch.int32
        outputs.publish(HEADER, frame, labelled, groups, overlay_alpha=0.5)
        pair.until(lambda: masks)
        mask = masks.pop()
        assert (mask.encoding, mask.height, mask.width, mask.step) == ('mono16', 48, 64, 128)
        assert numbers(mask) == labelled.label.flatten().tolist()
        assert max(numbers(mask)) > 255  # or nothing would be shown by it
        while session.work():
            pass
    assert session.status()['model'] == 'adapted'
    assert session.status()['objects'] >= 1


def test_default_colours_of_many_classes_are_distinct() -> None:
    assert len(np.unique(default_palette(3000), axis=0)) == 3000
