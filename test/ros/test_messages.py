from __future__ import annotations

import io
from array import array

import cv2
import numpy as np
import PIL.Image
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ditta_ros.frame import Frame
from ditta_ros.ros import messages
from ditta_ros.ros.messages import MessageError, compressed_to_rgb, to_message, to_rgb

# Two rows of three pixels, RGB.
PIXELS = np.array([
    [[10, 20, 30], [40, 50, 60], [70, 80, 90]],
    [[1, 2, 3], [4, 5, 6], [255, 0, 128]]], np.uint8)
GRAY = np.array([[10, 40, 70], [1, 4, 255]], np.uint8)


def image(
    encoding: str, rows: np.ndarray, width: int, height: int | None = None, padding: int = 0,
    is_bigendian: bool = False,
) -> Image:
    """Make a message of ``rows`` of bytes, each followed by ``padding`` bytes of junk."""
    junk = np.full((rows.shape[0], padding), 0xEE, np.uint8)
    data = np.hstack([rows, junk]).tobytes()
    return Image(
        height=rows.shape[0] if height is None else height, width=width, encoding=encoding,
        step=rows.shape[1] + padding, is_bigendian=int(is_bigendian), data=array('B', data))


def as_rows(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(pixels.shape[0], -1).view(np.uint8)


def alpha(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, np.full(pixels.shape[:2], 77, np.uint8)])


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize(('encoding', 'pixels', 'expected'), [
    ('rgb8', PIXELS, PIXELS),
    ('bgr8', PIXELS[:, :, ::-1], PIXELS),
    ('rgba8', alpha(PIXELS), PIXELS),
    ('bgra8', alpha(PIXELS[:, :, ::-1]), PIXELS),
    ('mono8', GRAY, GRAY[:, :, None].repeat(3, axis=2)),
])
def test_eight_bit_encodings(
    encoding: str, pixels: np.ndarray, expected: np.ndarray, padding: int,
) -> None:
    rgb = to_rgb(image(encoding, as_rows(np.ascontiguousarray(pixels)), 3, padding=padding))
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize(('encoding', 'pixels', 'expected'), [
    ('rgb16', PIXELS, PIXELS),
    ('bgr16', PIXELS[:, :, ::-1], PIXELS),
    ('mono16', GRAY, GRAY[:, :, None].repeat(3, axis=2)),
])
def test_sixteen_bits_are_scaled_in_either_byte_order(
    encoding: str, pixels: np.ndarray, expected: np.ndarray, order: str, padding: int,
) -> None:
    # 65535 = 257 * 255, so 257 * v is v on the scale of 8 bits.
    rows = as_rows((pixels.astype(np.uint16) * 257).astype(f'{order}u2'))
    rgb = to_rgb(image(encoding, rows, 3, padding=padding, is_bigendian=order == '>'))
    np.testing.assert_array_equal(rgb, expected)


def test_mono16_bytes_by_hand() -> None:
    # 0x0101 is 1, 0xff00 = 65280 -> 254.007; read in the wrong order they were 1 and 0x00ff -> 1.
    rows = np.array([[0x01, 0x01, 0xFF, 0x00]], np.uint8)
    assert to_rgb(image('mono16', rows, 2, is_bigendian=True))[0, :, 0].tolist() == [1, 254]
    assert to_rgb(image('mono16', rows, 2, is_bigendian=False))[0, :, 0].tolist() == [1, 1]


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_name_the_first_two_by_two_pixels(pattern: str, bits: int) -> None:
    # A picture of one colour, (200, 100, 50), as each pattern samples it.
    samples = {'r': 200, 'g': 100, 'b': 50}
    cell = np.array([samples[letter] for letter in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(cell, (3, 5))  # 6 rows, 10 columns
    rows = mosaic if bits == 8 else as_rows((mosaic.astype(np.uint16) * 257).astype('<u2'))
    rgb = to_rgb(image(f'bayer_{pattern}{bits}', rows, 10, padding=4))
    assert rgb.shape == (6, 10, 3)
    np.testing.assert_array_equal(rgb, np.broadcast_to((200, 100, 50), (6, 10, 3)))


# BT.601, limited range: Y 81, U 90, V 240 is pure red, Y 235, U 128, V 128 is white.
RED_Y, RED_U, RED_V = 81, 90, 240


@pytest.mark.parametrize(('encoding', 'macropixel'), [
    ('yuv422', [RED_U, RED_Y, RED_V, RED_Y]),
    ('uyvy', [RED_U, RED_Y, RED_V, RED_Y]),
    ('yuv422_yuy2', [RED_Y, RED_U, RED_Y, RED_V]),
    ('yuyv', [RED_Y, RED_U, RED_Y, RED_V]),
])
def test_packed_yuv_422(encoding: str, macropixel: list[int]) -> None:
    rows = np.tile(np.array(macropixel, np.uint8), (2, 3))  # 2 rows, 6 pixels
    rgb = to_rgb(image(encoding, rows, 6, padding=7))
    assert rgb.shape == (2, 6, 3)
    np.testing.assert_allclose(rgb.astype(int), np.broadcast_to((255, 0, 0), (2, 6, 3)), atol=2)


@pytest.mark.parametrize(('encoding', 'chroma'), [
    ('nv12', [RED_U, RED_V]), ('nv21', [RED_V, RED_U])])
def test_planar_yuv_420(encoding: str, chroma: list[int]) -> None:
    luma = np.full((4, 6), RED_Y, np.uint8)
    rows = np.vstack([luma, np.tile(np.array(chroma, np.uint8), (2, 3))])
    rgb = to_rgb(image(encoding, rows, 6, height=4, padding=2))
    assert rgb.shape == (4, 6, 3)
    np.testing.assert_allclose(rgb.astype(int), np.broadcast_to((255, 0, 0), (4, 6, 3)), atol=2)


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize(('encoding', 'pixels', 'expected'), [
    ('rgb8', PIXELS, PIXELS),
    ('bgr8', np.ascontiguousarray(PIXELS[:, :, ::-1]), PIXELS),
    ('mono8', GRAY, GRAY[:, :, None].repeat(3, axis=2)),
])
def test_what_needs_no_conversion_is_viewed_and_copied_once_at_most(
    encoding: str, pixels: np.ndarray, expected: np.ndarray, padding: int,
) -> None:
    message = image(encoding, as_rows(pixels), 3, padding=padding)
    data = np.frombuffer(message.data, np.uint8)
    rgb = to_rgb(message)
    assert np.shares_memory(rgb, data)
    frame = Frame.from_array(rgb)
    # Packed RGB is what a frame is made of, without any copy.
    copied = not np.shares_memory(frame.rgb.numpy(), data)
    assert copied == (encoding != 'rgb8' or padding > 0)
    assert frame.rgb.is_contiguous()
    np.testing.assert_array_equal(frame.rgb.numpy(), expected)


GOOD = {'height': 2, 'width': 3, 'encoding': 'rgb8', 'step': 9, 'data': array('B', bytes(18))}


@pytest.mark.parametrize(('changes', 'said'), [
    ({'data': array('B', bytes(17))}, 'has 18 bytes, got 17'),
    ({'data': array('B', bytes(19))}, 'has 18 bytes, got 19'),
    ({'data': array('B')}, 'has 18 bytes, got 0'),
    ({'height': 3}, 'has 27 bytes, got 18'),
    ({'step': 8}, 'step must be >= 9 bytes for 3 pixels of rgb8, got 8'),
    ({'width': 4}, 'step must be >= 12 bytes'),
    ({'width': 2**32 - 1}, 'step must be >='),
    ({'encoding': 'rgba8'}, 'step must be >= 12 bytes for 3 pixels of rgba8, got 9'),
    ({'width': 0}, 'an image has pixels, got 0 x 2'),
    ({'height': 0}, 'an image has pixels, got 3 x 0'),
    ({'encoding': 'yuv422'}, 'yuv422 shares chroma between two pixels, got width 3'),
    ({'encoding': 'nv12'}, 'nv12 shares chroma between 2 x 2 pixels, got 3 x 2'),
    ({'encoding': 'nv12', 'width': 2}, 'has 27 bytes, got 18'),
])
def test_contradictions_are_refused(changes: dict, said: str) -> None:
    to_rgb(Image(**GOOD))
    with pytest.raises(MessageError, match=said):
        to_rgb(Image(**{**GOOD, **changes}))


@pytest.mark.parametrize('encoding', ['', '8UC3', 'jpeg', 'RGB8'])
def test_an_unknown_encoding_is_refused_by_name(
    encoding: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, 'CvBridge', None)
    with pytest.raises(MessageError, match=f"got '{encoding}': convert the image, or install"):
        to_rgb(Image(**{**GOOD, 'encoding': encoding}))


class Bridge:
    """Reads as cv_bridge does: whatever a row holds are pixels."""

    def imgmsg_to_cv2(self, message: Image, encoding: str) -> np.ndarray:
        assert encoding == 'rgb8'
        if message.encoding != '8UC3':
            raise RuntimeError('Unrecognized image encoding')
        return np.array(message.data, np.uint8).reshape(message.height, -1, 3)


def test_what_we_do_not_know_is_left_to_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, 'CvBridge', Bridge)
    rgb = to_rgb(image('8UC3', as_rows(PIXELS), 3))
    np.testing.assert_array_equal(rgb, PIXELS)
    with pytest.raises(MessageError, match='reads only packed rows, got 8UC3 with step 12'):
        to_rgb(image('8UC3', as_rows(PIXELS), 3, padding=3))
    with pytest.raises(MessageError, match="got 'junk': .*Unrecognized image encoding"):
        to_rgb(image('junk', as_rows(PIXELS), 3))


def compressed(data: bytes, form: str) -> CompressedImage:
    return CompressedImage(format=form, data=array('B', data))


def test_a_png_comes_back_exactly() -> None:
    png = cv2.imencode('.png', np.ascontiguousarray(PIXELS[:, :, ::-1]))[1].tobytes()
    np.testing.assert_array_equal(
        compressed_to_rgb(compressed(png, 'rgb8; png compressed bgr8')), PIXELS)


def test_a_jpeg_keeps_red_red_and_is_not_turned_by_its_exif_tag() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees to view
    file = io.BytesIO()
    PIL.Image.new('RGB', (32, 16), (200, 30, 10)).save(file, 'jpeg', exif=exif, quality=95)
    rgb = compressed_to_rgb(compressed(file.getvalue(), 'jpeg'))
    assert rgb.shape == (16, 32, 3)
    np.testing.assert_allclose(rgb[8, 8].astype(int), (200, 30, 10), atol=4)


@pytest.mark.parametrize(('data', 'form'), [
    (b'', 'jpeg'), (b'\xff\xd8\xff\xe0 no more', 'jpeg'),
    (cv2.imencode('.png', GRAY)[1].tobytes(), '16UC1; compressedDepth png')])
def test_what_is_no_compressed_camera_image_is_refused(data: bytes, form: str) -> None:
    with pytest.raises(MessageError, match=f"is a jpeg or png, got format '{form}'"):
        compressed_to_rgb(compressed(data, form))


@pytest.mark.parametrize('sec', [12, -12])
def test_frames_carry_stamp_and_frame_id(sec: int) -> None:
    pixels = np.tile(PIXELS, (20, 15, 1))  # 40 rows, 45 columns
    header = Header(stamp=Time(sec=sec, nanosec=345), frame_id='front')
    message = to_message(pixels, 'rgb8', header)
    frame = messages.to_frame(message)
    assert (frame.stamp_ns, frame.frame_id) == (sec * 10**9 + 345, 'front')
    assert frame.size_px == (40, 45)
    np.testing.assert_array_equal(frame.rgb.numpy(), pixels)


@pytest.mark.parametrize(('height', 'width'), [(31, 32), (32, 31)])
def test_a_frame_has_32_pixels_on_each_side(height: int, width: int) -> None:
    said = f'at least 32 px on each side, got {width} x {height}: use larger'
    for message in images_of(height, width):
        with pytest.raises(MessageError, match=said):
            messages.check(message)
        with pytest.raises(MessageError, match=said):
            messages.to_frame(message)
    for message in images_of(32, 32):
        messages.check(message)


def images_of(height: int, width: int) -> tuple[Image, CompressedImage]:
    pixels = np.zeros((height, width, 3), np.uint8)
    return (to_message(pixels, 'rgb8', Header()),
            compressed(cv2.imencode('.png', pixels)[1].tobytes(), 'png'))


def test_an_array_becomes_a_packed_message() -> None:
    header = Header(stamp=Time(sec=1, nanosec=2), frame_id='front')
    turned = np.arange(6, dtype=np.uint8).reshape(3, 2).T  # not contiguous
    message = to_message(turned, 'mono8', header)
    assert message.header == header
    assert (message.height, message.width, message.step, message.encoding) == (2, 3, 3, 'mono8')
    assert list(message.data) == [0, 2, 4, 1, 3, 5]
    np.testing.assert_array_equal(to_rgb(to_message(PIXELS, 'rgb8', header)), PIXELS)
    deep = to_message(GRAY.astype(np.uint16) * 257, 'mono16', header)
    assert deep.step == 6
    np.testing.assert_array_equal(to_rgb(deep)[:, :, 0], GRAY)
