from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

from ditta_ros.ros.coded_images import coded_size_px

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
PNG = cv2.imencode('.png', PICTURE)[1].tobytes()
JPEG = cv2.imencode('.jpg', PICTURE)[1].tobytes()
PROGRESSIVE = cv2.imencode('.jpg', PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()


def size_px(data: bytes) -> tuple[int, int] | None:
    return coded_size_px(array('B', data))


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (2 + len(content)).to_bytes(2, 'big') + content


def frame(height: int, width: int) -> bytes:
    """A baseline jpeg's header of one component, 8 bits deep."""
    size = height.to_bytes(2, 'big') + width.to_bytes(2, 'big')
    return segment(0xC0, b'\x08' + size + b'\x01\x01\x11\x00')


START, END = b'\xff\xd8', b'\xff\xd9'


@pytest.mark.parametrize('file', [PNG, JPEG, PROGRESSIVE])
def test_what_opencv_writes_is_measured_as_it_is(file: bytes) -> None:
    assert size_px(file) == (40, 56)
    assert size_px(file + bytes(5000)) == (40, 56)  # a camera's padding


@pytest.mark.parametrize('file', [PNG, JPEG, PROGRESSIVE])
def test_a_file_that_was_cut_anywhere_is_refused(file: bytes) -> None:
    assert [cut for cut in range(len(file)) if size_px(file[:cut]) is not None] == []


def test_a_jpeg_by_hand() -> None:
    comment = segment(0xFE, b'\xff\xc0 is no header here')
    assert size_px(START + comment + frame(3, 70) + END) == (3, 70)
    assert size_px(START + comment + b'\xff\xff' + frame(3, 70) + END) == (3, 70)  # fill bytes
    tables = segment(0xC4, bytes(20))  # looks like a frame's marker
    assert size_px(START + tables + frame(3, 70) + END) == (3, 70)


@pytest.mark.parametrize('file', [
    START + segment(0xDA, b'') + frame(3, 70) + END,  # pixels before their size
    START + frame(0, 70) + END,
    START + frame(3, 0) + END,
    START + b'junk' + frame(3, 70) + END,
    START + 2000 * segment(0xFE, b'') + frame(3, 70) + END,
    START + 100_000 * b'\xff' + frame(3, 70) + END,
    START + frame(1000, 1000) + bytes(900) + END,  # a million pixels, not 1000 bytes
])
def test_a_jpeg_that_contradicts_itself_is_refused(file: bytes) -> None:
    assert size_px(file) is None


def test_as_many_pixels_as_the_bytes_can_hold_are_believed() -> None:
    assert size_px(START + frame(1000, 1000) + bytes(1000) + END) == (1000, 1000)


@pytest.mark.parametrize(('at', 'content'), [
    (8, b'\x7f\xff\xff\xff'),  # the first chunk claims 2 GiB
    (33, b'\x7f\xff\xff\xff'),  # so does the second
    (12, b'ABCD'),  # the first is no header
    (16, bytes(4)),  # no width
    (20, bytes(4)),  # no height
])
def test_a_png_that_contradicts_itself_is_refused(at: int, content: bytes) -> None:
    assert size_px(PNG[:at] + content + PNG[at + 4:]) is None


@pytest.mark.parametrize('file', [
    b'', b'\xff', START, START + END, b'\x89PNG\r\n\x1a\n', b'BM' + bytes(100),
    b'RIFF\x24\x00\x00\x00WEBPVP8 ' + bytes(100)])
def test_other_files_are_refused(file: bytes) -> None:
    assert size_px(file) is None
