from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest
import torch
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ditta_ros.ros.messages import MessageError, to_message
from ditta_ros.ros.reader import Reader

RGB = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
CPU = torch.device('cpu')


def test_frames_are_read_and_a_changed_encoding_is_told_once() -> None:
    told: list[str] = []
    read = Reader(CPU, told.append)
    for encoding in ('rgb8', 'rgb8', 'bgr8', 'bgr8', 'rgb8'):
        pixels = RGB if encoding == 'rgb8' else RGB[:, :, ::-1]
        frame = read(to_message(pixels, encoding, Header(frame_id='front')))
        assert frame.frame_id == 'front' and np.array_equal(frame.rgb.numpy(), RGB)
    assert told == [
        'the encoding changed from rgb8 to bgr8', 'the encoding changed from bgr8 to rgb8']


def test_a_message_that_cannot_be_read_changes_nothing() -> None:
    told: list[str] = []
    read = Reader(CPU, told.append)
    read(to_message(RGB, 'rgb8', Header()))
    broken = to_message(RGB, 'bgr8', Header())
    broken.step = 1
    with pytest.raises(MessageError):
        read(broken)
    read(to_message(RGB, 'rgb8', Header()))
    assert told == []


def test_the_format_of_a_compressed_image_is_its_encoding() -> None:
    told: list[str] = []
    read = Reader(CPU, told.append)
    for kind in ('jpeg', 'png', 'png'):
        coded = cv2.imencode(f'.{kind}', RGB)[1].tobytes()
        read(CompressedImage(format=kind, data=array('B', coded)))
    assert told == ['the encoding changed from jpeg to png']
