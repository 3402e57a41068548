"""Camera messages by the thousand, good and bad, each known beforehand to be the one or the other.

What makes a message bad is put into it on purpose, so that no copy of the rules is needed to
predict how often a reader must refuse.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from random import Random

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ditta_ros.ros.messages import ENCODINGS, PLANAR
from images import coded, encode

HUGE = 2**32 - 1
SMALLEST_SIDE_PX = 32
SIDES_PX = (32, 34, 48, 64)
_EVEN_ONLY = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21')


class Hostile:
    """Makes messages from a seed, each with another header."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def header(self) -> Header:
        """Stamps go back and forth, before 1970 too; frame_ids may be empty or long."""
        return Header(
            stamp=Time(sec=self._random.randint(-2**31, 2**31 - 1),
                       nanosec=self._random.randrange(2**32)),
            frame_id=self._random.choice(['', 'camera', 'c' * 1000]))

    def good(self) -> Image:
        random = self._random
        return encode(
            self._rgb(), random.choice([*ENCODINGS, *PLANAR]), self.header(),
            random.choice([0, 0, 1, 13]), random.random() < 0.5)

    def bad(self) -> Image:
        """Return a good image with one thing made wrong, or what never was an image."""
        make: Callable[[Image], None] = self._random.choice([
            self._no_size, self._data_length, self._step, self._encoding, self._claims,
            self._odd, self._small, self._noise])
        image = self.good()
        make(image)
        return image

    def good_coded(self) -> CompressedImage:
        form = self._random.choice(['jpeg', 'png'])
        return self._compressed(coded(self._rgb(), form), form)

    def bad_coded(self) -> CompressedImage:
        """Return what is no whole jpeg or png of a camera, as its first and last bytes tell."""
        random = self._random
        form = random.choice(['jpeg', 'png'])
        return random.choice([self._empty, self._garbage, self._cut, self._gigapixels,
                              self._tiny, self._other_file, self._depth])(form)

    def undecodable(self) -> CompressedImage:
        """Return a png of whole chunks, with garbage for pixels."""
        file = coded(self._rgb(), 'png')
        start = file.index(b'IDAT') + 4
        end = start + int.from_bytes(file[start - 8:start - 4], 'big')
        return self._compressed(
            file[:start] + self._random.randbytes(end - start) + file[end:], 'png')

    def mutated(self) -> CompressedImage:
        """Return a jpeg or png with some bytes changed; nobody knows whether it decodes."""
        random = self._random
        message = self.good_coded()
        for _ in range(random.randint(1, 20)):
            message.data[random.randrange(len(message.data))] = random.randrange(256)
        return message

    def scrambled(self) -> Image:
        """Return an image with some fields changed; nobody knows whether they still agree."""
        random = self._random
        image = self.good()
        for _ in range(random.randint(1, 4)):
            field = random.choice(['height', 'width', 'step', 'is_bigendian', 'encoding', 'data'])
            if field == 'encoding':
                image.encoding = random.choice([*ENCODINGS, *PLANAR, '8UC3', ''])
            elif field == 'data':
                image.data = array('B', bytes(random.choice([0, 1, 4096, len(image.data) // 2])))
            else:
                high = 255 if field == 'is_bigendian' else random.choice([8, 200, HUGE])
                setattr(image, field, random.randint(0, high))
        return image

    def _rgb(self) -> np.ndarray:
        height, width = self._random.choice(SIDES_PX), self._random.choice(SIDES_PX)
        # Coarse noise: no label map is flat.
        cells = np.frombuffer(self._random.randbytes(8 * 8 * 3), np.uint8).reshape(8, 8, 3)
        return cv2.resize(cells, (width, height))

    def _no_size(self, image: Image) -> None:
        setattr(image, self._random.choice(['height', 'width']), 0)

    def _data_length(self, image: Image) -> None:
        size = len(image.data)
        size = self._random.choice([0, 1, size // 2, size - 1, size + 1, size * 2])
        image.data = array('B', bytes(size))

    def _step(self, image: Image) -> None:
        """Make rows overlap, with as many data as the step asks for."""
        rows = len(image.data) // image.step
        image.step = self._random.randrange(image.width)  # a pixel takes a byte at least
        image.data = array('B', bytes(rows * image.step))

    def _encoding(self, image: Image) -> None:
        image.encoding = self._random.choice([
            '', 'RGB8', 'rgb', 'jpeg', '🤖', 'theora' * 10_000, 'nv24', 'yuv444',
            *(f'{self._random.randbytes(4).hex()}' for _ in range(3))])

    def _claims(self, image: Image) -> None:
        for field in self._random.sample(['height', 'width', 'step'], self._random.randint(1, 3)):
            setattr(image, field, self._random.choice([HUGE, HUGE - 1, 2**31, 2**20]))

    def _odd(self, image: Image) -> None:
        image.encoding = self._random.choice(_EVEN_ONLY)
        image.width = image.width // 2 * 2 - 1

    def _small(self, image: Image) -> None:
        """Crop to where the fields agree, and too little is left to see."""
        side_px = self._random.randrange(2, SMALLEST_SIDE_PX, 2)
        crop = self._rgb()[:side_px] if self._random.random() < 0.5 else self._rgb()[:, :side_px]
        small = encode(np.ascontiguousarray(crop), self._random.choice([*ENCODINGS, *PLANAR]),
                       image.header)
        for field in ('height', 'width', 'encoding', 'step', 'data', 'is_bigendian'):
            setattr(image, field, getattr(small, field))

    def _noise(self, image: Image) -> None:
        """Anything, with fewer data than the smallest image that can be segmented has."""
        random = self._random
        image.height, image.width, image.step = (random.randint(0, 300) for _ in range(3))
        image.is_bigendian = random.randint(0, 255)
        image.encoding = random.choice([*ENCODINGS, *PLANAR])
        size = random.randrange(SMALLEST_SIDE_PX**2)
        image.data = array('B', random.randbytes(size))

    def _compressed(self, data: bytes, form: str) -> CompressedImage:
        return CompressedImage(header=self.header(), format=form, data=array('B', data))

    def _empty(self, form: str) -> CompressedImage:
        return self._compressed(b'', form)

    def _garbage(self, form: str) -> CompressedImage:
        start = self._random.choice([b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'\xff' * 5000])
        return self._compressed(start + self._random.randbytes(500).replace(b'\xff', b'0'), form)

    def _cut(self, form: str) -> CompressedImage:
        file = coded(self._rgb(), form)
        return self._compressed(file[:self._random.randrange(len(file) - 1)], form)

    def _gigapixels(self, form: str) -> CompressedImage:
        """Let a header claim more than memory holds, or nothing."""
        sizes = (0, HUGE) if form == 'png' else (0, 2**16 - 1)
        height, width = self._random.choice([(sizes[1], sizes[1]), sizes, sizes[::-1]])
        file = bytearray(coded(self._rgb(), form))
        if form == 'png':
            file[16:24] = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
        else:
            at = file.index(b'\xff\xc0') + 5
            file[at:at + 4] = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
        return self._compressed(bytes(file), form)

    def _tiny(self, form: str) -> CompressedImage:
        return self._compressed(coded(self._rgb()[:self._random.randint(1, 31)], form), form)

    def _other_file(self, form: str) -> CompressedImage:
        done, data = cv2.imencode(self._random.choice(['.bmp', '.webp', '.tiff']), self._rgb())
        assert done
        return self._compressed(data.tobytes(), form)

    def _depth(self, form: str) -> CompressedImage:
        return self._compressed(coded(self._rgb(), 'png'), '16UC1; compressedDepth png')
