"""What a jpeg or png says of itself, read without decoding it.

A decoder believes a header: of a damaged file it takes memory for pixels, or for parts of the
file, that are not there.
"""

from __future__ import annotations

from array import array

_PNG = b'\x89PNG\r\n\x1a\n'
_PNG_END = b'IEND'
_PNG_CHUNKS = 2**16  # at most; of the usual 8 KiB they hold 512 MiB
_JPEG = b'\xff\xd8\xff'
_JPEG_END = b'\xff\xd9'
# Some cameras send buffers of a fixed size, with padding behind the image's end.
_JPEG_TAIL_BYTES = 2**16
# Start-of-frame markers, all of which have the size in the same place; C4, C8 and CC are others.
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_FILL = 0xFF  # any number of these may precede a marker
_JPEG_SCAN = 0xDA  # from here on there are coded pixels
_JPEG_SEGMENTS = 1000  # to the size, at most; those of an ICC profile alone may be 255
_JPEG_PX_PER_BYTE = 1000  # at most: a block of 8 x 8 pixels takes a bit or more


def coded_size_px(data: array[int]) -> tuple[int, int] | None:
    """Return height and width as the header of a jpeg or png claims them.

    None where ``data`` (unsigned bytes) are no such image, lack its end, or are too few for what
    the header claims.
    """
    start = data[:24].tobytes()
    if start.startswith(_PNG):
        return _png_size_px(start) if _png_is_whole(data) else None
    if start.startswith(_JPEG) and _JPEG_END in data[-_JPEG_TAIL_BYTES:].tobytes():
        return _jpeg_size_px(data)
    return None


def _png_size_px(start: bytes) -> tuple[int, int] | None:
    height, width = int.from_bytes(start[20:24], 'big'), int.from_bytes(start[16:20], 'big')
    return (height, width) if start[12:16] == b'IHDR' and height and width else None


def _png_is_whole(data: array[int]) -> bool:
    """Return whether each chunk, up to the last, lies within ``data``."""
    at = len(_PNG)  # of a chunk: length (4 bytes), name (4), as many bytes, checksum (4)
    for _ in range(_PNG_CHUNKS):
        chunk = data[at:at + 8].tobytes()
        at += 12 + int.from_bytes(chunk[:4], 'big')
        if len(chunk) < 8 or at > len(data):
            return False
        if chunk[4:] == _PNG_END:
            return True
    return False


def _jpeg_size_px(data: array[int]) -> tuple[int, int] | None:
    at = 2  # behind the image's start: FF, marker, length (2 bytes, its own included), ...
    for _ in range(_JPEG_SEGMENTS):
        segment = data[at:at + 9].tobytes()
        if len(segment) < 9 or segment[0] != 0xFF or segment[1] == _JPEG_SCAN:
            return None
        if segment[1] in _JPEG_FRAMES:
            height, width = (int.from_bytes(segment[i:i + 2], 'big') for i in (5, 7))
            return (height, width) if 0 < height * width <= _JPEG_PX_PER_BYTE * len(data) else None
        fills = segment[1] == _JPEG_FILL
        at += 1 if fills else 2 + int.from_bytes(segment[2:4], 'big')
    return None
