"""Camera messages: fields that contradict one another, damaged jpeg and png."""

from __future__ import annotations

from array import array
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np

from ditta_ros.ros import messages
from ditta_ros.soak.hostile.damage import NUMBERS, TEXTS, damaged
from ditta_ros.soak.hostile.refusal import Feed, WrongAnswerError, refused

ENCODINGS = (*messages.ENCODINGS, *messages.PLANAR)
SIDES_PX = (2, 31, 32, 34, 48)
_HIGH = {'height': 2**32 - 1, 'width': 2**32 - 1, 'step': 2**32 - 1, 'is_bigendian': 255}


def open_feed(folder: Path) -> Feed:
    """Open a feed of messages, raw and coded; see the package.  ``folder`` is not used."""
    del folder
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (48, 48, 3), np.uint8)
    files = [cv2.imencode(f'.{form}', picture[:side])[1].tobytes()
             for form in ('jpg', 'png') for side in (31, 32, 48)]

    def feed(random: Random) -> bool:
        message = _raw(random) if random.random() < 0.5 else _coded(random, files)
        try:
            messages.check(message)
            frame = messages.to_frame(message)
        except messages.MessageError as error:
            return refused(error)
        if min(frame.size_px) < messages.SMALLEST_SIDE_PX:
            raise WrongAnswerError(f'an image of {frame.size_px} px was read')
        return True

    return feed


def _raw(random: Random) -> Any:
    """Return an image whose fields agree, but for those that are then changed."""
    encoding = random.choice(ENCODINGS)
    height, width = random.choice(SIDES_PX), random.choice(SIDES_PX)
    planar = encoding in messages.PLANAR
    pixel_bytes = 1 if planar else (
        messages.ENCODINGS[encoding].channels * messages.ENCODINGS[encoding].item_bytes)
    image = messages.Image(
        height=height, width=width, encoding=encoding, step=width * pixel_bytes,
        is_bigendian=random.randrange(2))
    rows = height * 3 // 2 if planar else height
    image.data = array('B', bytes(rows * image.step))
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        _change(random, image)
    return image


def _change(random: Random, image: Any) -> None:
    field = random.choice((*_HIGH, 'encoding', 'data'))
    if field == 'encoding':
        # rclpy itself takes no text with a zero byte or half a surrogate pair.
        names = [text for text in TEXTS if text.isprintable()]
        image.encoding = random.choice((*ENCODINGS, *names))
    elif field == 'data':
        image.data = array('B', damaged(random, image.data.tobytes()))
    else:
        setattr(image, field, min(abs(random.choice(NUMBERS)), _HIGH[field]))


def _coded(random: Random, files: list[bytes]) -> Any:
    return messages.CompressedImage(
        format=random.choice(('jpeg', 'png', '', 'rgb8; jpeg compressed bgr8', 'x' * 5000)),
        data=array('B', damaged(random, random.choice(files))))
