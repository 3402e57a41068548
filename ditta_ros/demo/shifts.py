"""Graded shifts of the demo world's pictures: what the models were not trained on.

Every shift leaves the picture as it is at strength 0 and departs from it further as the strength
grows to 1.  Noise is a pure function of seed and frame index.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

KINDS = ('fog', 'noise', 'low_light', 'colour_cast', 'blur', 'patchy_light')


@dataclass(frozen=True)
class Shift:
    """One kind of KINDS at a strength 0..1; raises ValueError where either is outside."""

    kind: str
    strength: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'shift must be clean or one of {", ".join(KINDS)}, '
                             f'got {self.kind!r}: write for example fog:0.3')
        if not 0 <= self.strength <= 1:
            raise ValueError(f'strength of shift {self.kind} must be 0..1, got {self.strength!r}')

    def __str__(self) -> str:
        return f'{self.kind}:{self.strength:g}'

    def apply(self, rgb: np.ndarray, depth_m: np.ndarray, frame_index: int = 0,
              seed: int = 0) -> np.ndarray:
        """Return the shifted picture, uint8 [H, W, 3].

        ``rgb`` is uint8 [H, W, 3]; ``depth_m`` float32 [H, W] is what fog needs.  The same
        ``seed`` and ``frame_index`` always give the same picture.
        """
        if self.strength == 0:
            return rgb.copy()
        picture = rgb.astype(np.float32) / 255
        rng = np.random.default_rng((seed, frame_index))
        if self.kind == 'fog':
            picture = _fog(picture, depth_m, self.strength)
        elif self.kind == 'noise':
            picture = picture + _noise(rng, picture.shape, .2 * self.strength)
        elif self.kind == 'low_light':
            picture = _low_light(picture, self.strength)
            picture = picture + _noise(rng, picture.shape, .032 * self.strength)
        elif self.kind == 'colour_cast':
            picture = _colour_cast(picture, self.strength)
        elif self.kind == 'blur':
            picture = _blur(picture, self.strength)
        else:
            picture = _patchy_light(picture, self.strength, seed)
        return np.asarray(np.clip(picture * 255 + .5, 0, 255), np.uint8)


def parse(text: str) -> Shift | None:
    """Read ``'kind:strength'``, for example ``'fog:0.3'``; ``'clean'`` is None."""
    if text == 'clean':
        return None
    kind, _, strength = text.partition(':')
    try:
        return Shift(kind, float(strength))
    except ValueError as error:
        raise ValueError(f'shift must be clean or kind:strength with a kind of '
                         f'{", ".join(KINDS)} and a strength 0..1, got {text!r}') from error


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    return rng.standard_normal(shape, np.float32) * np.float32(sigma)


def _fog(picture: np.ndarray, depth_m: np.ndarray, strength: float) -> np.ndarray:
    """Koschmieder's law: L = L0 exp(-b d) + A (1 - exp(-b d)), b up to 0.15 / m."""
    clear = np.exp(-.15 * strength * depth_m)[..., None]
    air = np.array([.78, .79, .82], np.float32)
    return (1 - .12 * strength) * (picture * clear + air * (1 - clear)) + .12 * strength


def _low_light(picture: np.ndarray, strength: float) -> np.ndarray:
    """Less exposure and darker shadows, as a camera gives at dusk."""
    return picture ** (1 + .9 * strength) * (1 - .78 * strength)


def _colour_cast(picture: np.ndarray, strength: float) -> np.ndarray:
    """Turn the white balance towards warm."""
    gain = np.array([1 + .5 * strength, 1 - .1 * strength, 1 - .62 * strength], np.float32)
    return picture * gain + np.array([.06, .02, 0], np.float32) * strength


def _blur(picture: np.ndarray, strength: float) -> np.ndarray:
    """Defocus; sigma up to 2.8 px at a width of 256 px (nothing is seen of it below 0.3 px)."""
    return cv2.GaussianBlur(picture, (0, 0), 2.8 * strength * picture.shape[1] / 256)


def _patchy_light(picture: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Smooth dark patches that stay where they are in the image, as from a dirty lens."""
    height, width = picture.shape[:2]
    coarse = np.random.default_rng((seed, 1 << 31)).standard_normal((7, 9), np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    field = (field - field.min()) / (field.max() - field.min())
    dark = np.clip((field - .35) / .4, 0, 1)[..., None] * np.float32(strength)
    return picture * (1 - .75 * dark) + dark * np.array([.05, .035, .02], np.float32)
