"""A labelled still under a moving crop: a stream with real texture and exact truth.

``crops:folder=camvid_1hz,still=0001TP_006690,seed=7,shift=noise:0.5,frames=90`` takes
``camvid_1hz/images/0001TP_006690.jpg`` and ``camvid_1hz/labels/0001TP_006690.png``.

=========  ==========================================================================
folder     where ``images`` and ``labels`` are; needed
still      name of the image and of its label, without suffix; needed
seed       of the crop's way and of the shift's noise (7)
shift      ``clean``, or kind:strength of ``demo.shifts`` (clean)
frames     length of the stream (90)
rate       in Hz (10)
size       HEIGHTxWIDTH of a crop in px (240x320)
ignore     the label's value of unlabelled pixels, beside 255 (255)
=========  ==========================================================================

The crop pans slowly and zooms slightly, on smooth ways drawn from ``seed``; pictures are
interpolated bilinearly, labels and depth are those of the nearest pixel.  Nothing moves against
anything else: there is no parallax.

Fog needs depths, and a still has none: they are made up from the row alone, see
``depth_of_rows``.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ditta_ros.demo.shifts import Shift, parse
from ditta_ros.evaluation.image_files import IMAGE_SUFFIXES, LABEL_SUFFIXES, read_label, read_rgb
from ditta_ros.evaluation.source import Skipped, Source, SourceError, SourceFrame, even_stamp_ns
from ditta_ros.evaluation.specs import values_of
from ditta_ros.labels import UNLABELLED

DEFAULTS = {'seed': '7', 'shift': 'clean', 'frames': '90', 'rate': '10', 'size': '240x320',
            'ignore': str(UNLABELLED)}
KEYS = ('folder', 'still', *DEFAULTS)

# Seconds that a way takes forth and back: at 10 Hz a pan is a few pixels from frame to frame.
PAN_PERIOD_S = (12.0, 20.0)
ZOOM_PERIOD_S = (8.0, 14.0)
LARGEST_ZOOM = 1.15  # a crop shows from all of its size down to 1 / 1.15 of it, enlarged

# A camera in a street: the ground is so far below it, a plane in place of the walls so far above.
HORIZON = 0.45  # as a share of the still's height
FOCAL = 0.9  # as a share of the still's width
GROUND_M, WALL_M = 1.4, 4.0
FAR_M = 30.0  # the street's end; from twice as far nothing would be seen through half of the fog


@dataclass(frozen=True)
class _Still:
    rgb: np.ndarray  # uint8 [H, W, 3]
    label: np.ndarray  # uint8 [H, W]
    depth_m: np.ndarray  # float32 [H, W]


@dataclass(frozen=True)
class Way:
    """Where the crop is at any time: ``matrix(time_s)`` maps the crop's pixels to the still's."""

    still_px: tuple[int, int]  # height, width
    crop_px: tuple[int, int]
    period_s: tuple[float, float, float]  # of pan down, pan across, zoom
    phase: tuple[float, float, float]  # 0..1, where each begins

    @classmethod
    def draw(cls, seed: int, still_px: tuple[int, int], crop_px: tuple[int, int]) -> Way:
        """Return the way that belongs to ``seed``; no crop on it leaves the still."""
        rng = np.random.default_rng((seed, 1 << 30))
        down_s, across_s = rng.uniform(*PAN_PERIOD_S, 2).tolist()
        zoom_s = float(rng.uniform(*ZOOM_PERIOD_S))
        down, across, zoom = rng.uniform(0, 1, 3).tolist()
        return cls(still_px, crop_px, (down_s, across_s, zoom_s), (down, across, zoom))

    def matrix(self, time_s: float) -> np.ndarray:
        """Return float64 [2, 3]: (x, y, 1) of a crop's pixel to (x, y) in the still, in px."""
        down, across, zoom = (
            .5 + .5 * np.sin(2 * np.pi * (time_s / period_s + phase))
            for period_s, phase in zip(self.period_s, self.phase, strict=True))
        scale = 1 / (1 + (LARGEST_ZOOM - 1) * zoom)
        # Pixel centres: the last one of the crop may reach the last one of the still.
        top, left = (share * (still - 1 - (crop - 1) * scale) for share, still, crop in zip(
            (down, across), self.still_px, self.crop_px, strict=True))
        return np.array([[scale, 0, left], [0, scale, top]])


def crops_source(spec: str) -> Source:
    """Return the stream that ``spec`` names (see the module); raises SourceError."""
    given = _given(spec)
    try:
        seed, frames, ignore = (int(given[key]) for key in ('seed', 'frames', 'ignore'))
        rate_hz, shift = float(given['rate']), parse(given['shift'])
    except ValueError as error:
        raise SourceError(f'{spec}: {error}') from None
    if (seed < 0 or frames < 1 or not 0 < rate_hz <= 1000
            or not 0 <= ignore <= UNLABELLED):
        raise SourceError(
            f'{spec}: seed must be >= 0, frames >= 1, rate 0..1000 Hz and ignore '
            f'0..{UNLABELLED}')
    size = re.fullmatch(r'(\d+)x(\d+)', given['size'])
    if size is None:
        raise SourceError(f'{spec}: size must be HEIGHTxWIDTH in px, got {given["size"]!r}')
    still = _read_still(spec, Path(given['folder']), given['still'], ignore)
    crop_px = (int(size[1]), int(size[2]))
    height, width = still.label.shape
    if not (0 < crop_px[0] <= height and 0 < crop_px[1] <= width):
        raise SourceError(
            f'{spec}: a crop must fit into the still of {height}x{width} px, got '
            f'{given["size"]}: give a smaller size')
    way = Way.draw(seed, (height, width), crop_px)
    return Source(
        spec, frames, rate_hz, True, partial(_read, still, way, frames, rate_hz, shift, seed))


def _given(spec: str) -> dict[str, str]:
    given = values_of(spec, 'crops', KEYS)
    if 'folder' not in given or 'still' not in given:
        raise SourceError(
            f'{spec}: crops need folder and still: write crops:folder=DIR,still=NAME')
    return {**DEFAULTS, **given}


def _read_still(spec: str, folder: Path, name: str, ignore: int) -> _Still:
    rgb = read_rgb(_file(spec, folder / 'images', name, IMAGE_SUFFIXES))
    label = read_label(_file(spec, folder / 'labels', name, LABEL_SUFFIXES))
    for each in (rgb, label):
        if isinstance(each, Skipped):
            raise SourceError(f'{spec}: {each.where} {each.why}')
    assert isinstance(rgb, np.ndarray) and isinstance(label, np.ndarray)  # neither was skipped
    if rgb.shape[:2] != label.shape:
        raise SourceError(
            f'{spec}: a label must have the size of its image, got {label.shape[1]}x'
            f'{label.shape[0]} for {rgb.shape[1]}x{rgb.shape[0]}')
    height, width = label.shape
    depth_m = np.repeat(depth_of_rows(height, width)[:, None], width, axis=1)
    return _Still(rgb, np.where(label == ignore, UNLABELLED, label).astype(np.uint8), depth_m)


def _file(spec: str, folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    for suffix in suffixes:
        if (path := folder / f'{name}{suffix}').is_file():
            return path
    raise SourceError(f'{spec}: no {name} in {folder} ({", ".join(suffixes)})')


def depth_of_rows(height: int, width: int) -> np.ndarray:
    """Return a plausible depth of each row of a street's picture in m, float32 [height].

    Planar, made up, the same for every still: a ground 1.4 m below the camera, and above the
    horizon a plane 4 m over it, in place of facades, trees and sky; at most 30 m.
    """
    below_px = np.arange(height) + .5 - HORIZON * height
    plane_m = np.where(below_px > 0, GROUND_M, WALL_M)
    # A row is never nearer to the horizon than its own half.
    return np.minimum(
        FOCAL * width * plane_m / np.maximum(np.abs(below_px), .5), FAR_M).astype(np.float32)


def _read(
    still: _Still, way: Way, frames: int, rate_hz: float, shift: Shift | None, seed: int,
) -> Generator[SourceFrame, None, None]:
    for index in range(frames):
        matrix = way.matrix(index / rate_hz)
        rgb = _warped(still.rgb, matrix, way.crop_px, cv2.INTER_LINEAR)
        if shift is not None:
            depth_m = _warped(still.depth_m, matrix, way.crop_px, cv2.INTER_NEAREST)
            rgb = shift.apply(rgb, depth_m, index, seed)
        yield SourceFrame(
            even_stamp_ns(index, rate_hz), rgb,
            _warped(still.label, matrix, way.crop_px, cv2.INTER_NEAREST))


def _warped(
    image: np.ndarray, matrix: np.ndarray, size_px: tuple[int, int], interpolation: int,
) -> np.ndarray:
    # Replicated: rounding may put the crop's last pixel a hair outside of the still.
    return cv2.warpAffine(
        image, matrix, size_px[::-1], flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE)
