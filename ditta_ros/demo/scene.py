"""The stage of one demo world: the camera's path and the ground, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shapes import GRASS, ROAD, SIDEWALK, rgb_of

TRAVEL_M = (1.2, 2.6)  # how far the camera drives in all
# Parts of the ground, in the order of Ground.palette, and the class of each.
ASPHALT, MARK, CURB, SLAB, SEAM, LAWN = range(6)
GROUND_CLASS = np.array([ROAD, ROAD, SIDEWALK, SIDEWALK, SIDEWALK, GRASS], np.uint8)


@dataclass(frozen=True)
class Pose:
    """Where the camera is: position in metres, shift of the view and horizon in pixels."""

    x_m: float
    z_m: float
    pan_px: float
    horizon_px: float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that drives down the street, sways, pans and bobs (sums of sines)."""

    focal_px: float
    height_m: float
    horizon_px: float
    travel_m: float
    speed_mps: float
    bob_px: float
    sway: np.ndarray  # [waves, 3]: amplitude in m, rad/s, phase in rad
    pan: np.ndarray  # [waves, 3]: amplitude in px, rad/s, phase in rad

    @classmethod
    def draw(cls, rng: np.random.Generator, size_px: tuple[int, int]) -> Camera:
        """Draw a camera for images of ``size_px`` (height, width)."""
        height, width = size_px

        def waves(*rows: tuple[float, float, float]) -> np.ndarray:
            return np.array([[a * rng.choice((-1, 1)) * rng.uniform(.6, 1), rng.uniform(lo, hi),
                              rng.uniform(0, 2 * np.pi)] for a, lo, hi in rows])

        return cls(
            focal_px=width * rng.uniform(.85, 1.0), height_m=rng.uniform(1.4, 1.65),
            horizon_px=height * rng.uniform(.4, .46), travel_m=rng.uniform(*TRAVEL_M),
            speed_mps=rng.uniform(.2, .7), bob_px=height * rng.uniform(.002, .007),
            sway=waves((.65, .5, .9), (.12, 1.2, 2.0)),
            pan=waves((.15 * width, .35, .6), (.02 * width, 1.0, 1.6)))

    def pose(self, time_s: float) -> Pose:
        """Where the camera is at ``time_s``; it comes to rest before it reaches anything."""
        def at(waves: np.ndarray) -> float:
            return float((waves[:, 0] * np.sin(waves[:, 1] * time_s + waves[:, 2])).sum())

        drive = self.travel_m * np.tanh(self.speed_mps * time_s / self.travel_m)
        bob = self.bob_px * np.sin(3.1 * time_s)
        return Pose(at(self.sway), float(drive), at(self.pan), float(self.horizon_px + bob))


@dataclass(frozen=True)
class Ground:
    """A crossing road, in most worlds a road away from the camera, pavements beside, lawn else.

    Roads are given by middle and width; a width below 0 leaves a foot path in its place.
    """

    cross_m: float
    cross_width_m: float
    away_m: float
    away_width_m: float
    pavement_m: float
    palette: np.ndarray  # float32 [6, 3], RGB 0..1

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Ground:
        """Draw a layout and the colours of its parts."""
        grey = rng.uniform(.3, .44)
        slab = rgb_of(rng.uniform(15, 50), rng.uniform(.05, .2), rng.uniform(.6, .74))
        palette = np.stack([
            rgb_of(rng.uniform(200, 260), rng.uniform(.0, .1), grey), rgb_of(50, .06, .88),
            slab * 1.16, slab, slab * .74,
            rgb_of(rng.uniform(78, 115), rng.uniform(.45, .65), rng.uniform(.46, .62))]
        ).astype(np.float32)
        street = rng.random() < .7
        return cls(rng.uniform(8.8, 11.5), rng.uniform(4.0, 5.0), rng.uniform(-1.6, 1.6),
                   rng.uniform(3.6, 4.7) if street else -.3, rng.uniform(1.0, 1.5), palette)

    def parts(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Part index uint8 [...] of the ground at ``x``, ``z`` (float32 [...], metres)."""
        off_cross = abs(z - self.cross_m) - self.cross_width_m / 2
        off_away = abs(x - self.away_m) - self.away_width_m / 2
        off = np.minimum(off_cross, off_away)
        part = np.full(x.shape, LAWN, np.uint8)
        part[off < self.pavement_m] = SLAB
        seam = ((x * 1.4 % 1 < .07) | (z * 1.4 % 1 < .07)) & (part == SLAB) & (z < 11)
        part[seam] = SEAM
        part[off < .13] = CURB
        part[off < 0] = ASPHALT
        dashes = (off_away > 0) & (off_cross + self.cross_width_m / 2 < .08) & (x * .6 % 1 < .55)
        dashes |= (off_cross > 0) & (off_away + self.away_width_m / 2 < .08) & (z * .6 % 1 < .55)
        part[dashes & (off < 0)] = MARK
        return part

    def kind(self, x_m: float, z_m: float) -> int:
        """Class of the ground at one point."""
        return int(GROUND_CLASS[self.parts(np.array([x_m]), np.array([z_m]))[0]])
