"""What stands where in one demo world: every object, drawn from a seed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .scene import Ground
from .shapes import (
    BICYCLE,
    BUILDING,
    FENCE,
    GRASS,
    PERSON,
    POLE,
    ROAD,
    SIDEWALK,
    SIGN,
    TREE,
    VEHICLE,
    Item,
    rgb_of,
)

FIRST_OBJECT = 10  # instances below belong to sky and ground


@dataclass
class Builder:
    """Places objects one after the other, so that none stands in another."""

    rng: np.random.Generator
    ground: Ground
    near_m: float  # nothing stands nearer than this to where the camera starts
    items: list[Item] = field(default_factory=list)
    taken: list[tuple[float, float, float]] = field(default_factory=list)
    instance: int = FIRST_OBJECT

    def build(self) -> tuple[Item, ...]:
        """Draw the whole scene, nearest objects first."""
        rng = self.rng
        self._houses()
        self._vehicles(int(rng.integers(3, 5)))
        self._trees(int(rng.integers(4, 6)))
        self._fences(2)
        self._poles(int(rng.integers(2, 4)))
        self._signs(3)
        self._persons(int(rng.integers(4, 7)))
        self._bicycles(3)
        return tuple(sorted(self.items, key=lambda item: item.z_m))

    def _add(self, kind: int, x: float, z: float, width: float, height: float,
             palette: Sequence[np.ndarray], *, same: bool = False, **more: float | bool) -> None:
        """Add an item; part 0 of its palette is outside and never seen."""
        if not same:
            self.instance += 1
        colours = np.stack([np.zeros(3, np.float32), *palette]).astype(np.float32)
        self.items.append(Item(kind, self.instance - 1, float(x), float(z), width, height, colours,
                               phase=float(self.rng.random()), **more))  # type: ignore[arg-type]

    def _spots(self, count: int, depth_m: tuple[float, float], on: tuple[int, ...],
               radius_m: float, spread: float = .6) -> list[tuple[float, float]]:
        """Find ``count`` places (x, z) on ground of the classes ``on``, spread over the view.

        Each is tried in a sector of its own first, then anywhere.  Of the tries the one is taken
        that the camera sees least behind or in front of another object.
        """
        edges = np.linspace(-spread, spread, count + 1)
        near = max(depth_m[0], self.near_m)
        spots = []
        for sector in itertools.pairwise(edges):
            best, best_gap = (0.0, depth_m[1]), -np.inf
            for attempt in range(48):
                low, high = sector if attempt < 24 else (-spread, spread)
                z = self.rng.uniform(near, depth_m[1])
                x = z * self.rng.uniform(low, high)
                if self.ground.kind(x, z) not in on:
                    continue
                gap = min([self._gap(x, z, radius_m, other) for other in self.taken] + [.2])
                gap -= .1 * (attempt >= 24)
                if gap > best_gap:
                    best, best_gap = (x, z), gap
            self.taken.append((*best, radius_m))
            spots.append(best)
        return spots

    @staticmethod
    def _gap(x: float, z: float, radius: float, other: tuple[float, float, float]) -> float:
        """Angle between two objects; far below 0 where they would stand in one another."""
        gap = abs(x / z - other[0] / other[1]) - radius / z - other[2] / other[1]
        return float(gap - (np.hypot(x - other[0], z - other[1]) < radius + other[2]))

    def _hues(self, count: int) -> np.ndarray:
        """Hues in degrees, far from each other, in a random order."""
        start = self.rng.uniform(0, 360)
        return self.rng.permutation(start + 360 * np.arange(count) / count)

    def _facade(self, order: int) -> list[np.ndarray]:
        rng = self.rng
        hue = (rng.choice((8, 22, 36, 48, 210, 335)) + rng.normal() * 6)
        value = (.84, .56, .72)[order % 3] + rng.uniform(-.06, .06)
        wall = rgb_of(hue, rng.uniform(.14, .5), value)
        roof = rgb_of(rng.choice((12., 20., 215.)), rng.uniform(.15, .55), rng.uniform(.3, .5))
        return [wall, rgb_of(210, rng.uniform(.2, .5), rng.uniform(.25, .42)), wall * .35 + .6,
                roof, rgb_of(rng.uniform(0, 360), .5, .38), wall * .6]

    def _houses(self) -> None:
        """Close the street with a row, and flank it with a nearer house on either side."""
        rng, ground = self.rng, self.ground
        beyond = ground.cross_m + ground.cross_width_m / 2 + ground.pavement_m
        row = max(beyond + 4.5, rng.uniform(18, 21))
        x, order = -21.0, 0
        while x < 21:
            width = rng.uniform(4, 6.5)
            gable = int(rng.random() < .45)
            self._add(BUILDING, x + width / 2, row + rng.uniform(-.6, .6), width,
                      rng.uniform(4.2, 7.6), self._facade(order), variant=gable)
            x += width + (rng.uniform(1, 2.5) if rng.random() < .25 else .05)
            order += 1
        self._corner_houses(beyond, row - .7, order)

    def _corner_houses(self, beyond_m: float, row_m: float, order: int) -> None:
        """Add two boxes: a front that faces the camera, a side that faces the street."""
        rng, ground = self.rng, self.ground
        for side in (-1, 1):
            edge = ground.away_m + side * (max(ground.away_width_m, 2) / 2 + ground.pavement_m
                                           + rng.uniform(1.2, 3))
            front, width = beyond_m + rng.uniform(.8, 2), rng.uniform(6, 9)
            height = rng.uniform(4.5, 7)
            walls = self._facade(order + (side > 0))
            self._add(BUILDING, edge + side * width / 2, front, width, height, walls)
            shaded = [colour * .8 for colour in walls]
            self._add(BUILDING, edge, front, row_m - front, height, shaded, same=True,
                      along_street=True)
            self.taken.append((edge + side * width / 2, front + 1, width / 2))

    def _vehicles(self, count: int) -> None:
        """Put cars on both lanes of the crossing road, and park one on a street."""
        rng, ground = self.rng, self.ground
        for i, hue in enumerate(self._hues(count)):
            palette = self._paintwork(hue)
            if i == 0 and ground.away_width_m > 0 and self._park(palette):
                continue
            lane = 1 if i % 2 else -1
            z = ground.cross_m + lane * ground.cross_width_m / 4 + rng.uniform(-.25, .25)
            van = int(rng.random() < .3)
            x = z * (-.55 + 1.1 * (i + rng.uniform(.2, .8)) / count)
            moving = rng.random() < .6
            if not moving:
                self.taken.append((x, z, 1.6))
            self._add(VEHICLE, x, z, rng.uniform(3.3, 4.1), rng.uniform(1.8, 2.1) if van else
                      rng.uniform(1.35, 1.55), palette, variant=van,
                      speed_mps=lane * rng.uniform(.6, 1.8) if moving else 0.0)

    def _paintwork(self, hue_deg: float) -> list[np.ndarray]:
        rng = self.rng
        paint = rgb_of(hue_deg, rng.uniform(.45, .9), rng.uniform(.45, .95))
        if rng.random() < .25:  # black, silver or white, as many cars are
            paint = rgb_of(hue_deg, .04, rng.choice((.22, .6, .92)))
        return [paint, rgb_of(205, .3, rng.uniform(.35, .6)), rgb_of(0, 0, .08),
                rgb_of(0, 0, .66), rgb_of(rng.choice((2., 45.)), .8, .9), paint * .55]

    def _park(self, palette: list[np.ndarray]) -> bool:
        """Park a car at the kerb, seen from behind; False where the street is too short."""
        rng, ground = self.rng, self.ground
        side = rng.choice((-1, 1))
        x = ground.away_m + side * (ground.away_width_m / 2 - 1.0)
        z = self.near_m + rng.uniform(1.2, 2.5)
        if ground.cross_m - z <= 3.0:
            return False
        self.taken.append((x, z, 1.0))
        self._add(VEHICLE, x, z, rng.uniform(1.65, 1.85), rng.uniform(1.4, 1.6), palette,
                  variant=2)
        return True

    def _trees(self, count: int) -> None:
        for i, (x, z) in enumerate(self._spots(count, (7, 17), (GRASS, SIDEWALK), 1.2, .7)):
            rng = self.rng
            hue = rng.uniform(82, 150) if rng.random() < .85 else rng.uniform(45, 70)
            leaf = rgb_of(hue, rng.uniform(.5, .8), (.31, .46)[i % 2] + rng.uniform(-.03, .05))
            bark = rgb_of(25, rng.uniform(.3, .55), rng.uniform(.22, .36))
            self._add(TREE, x, z, rng.uniform(2.0, 3.0), rng.uniform(3.4, 5.0),
                      [leaf, bark, leaf * 1.22], variant=int(rng.random() < .4))

    def _fences(self, count: int) -> None:
        for i, (x, z) in enumerate(self._spots(count, (6.5, 15), (GRASS, SIDEWALK), 1.6)):
            rng = self.rng
            wood = (rgb_of(rng.uniform(18, 36), rng.uniform(.55, .8), rng.uniform(.4, .6)),
                    rgb_of(40, .05, rng.uniform(.82, .95)))[(i + int(rng.random() * 2)) % 2]
            self._add(FENCE, x, z, rng.uniform(2.4, 4.2), rng.uniform(.95, 1.25),
                      [wood, wood * .5, wood * .82], variant=int(rng.random() < .5))

    def _poles(self, count: int) -> None:
        for x, z in self._spots(count, (6, 12.5), (GRASS, SIDEWALK), .4):
            rng = self.rng
            metal = rgb_of(rng.uniform(180, 240), rng.uniform(.05, .35), rng.uniform(.2, .45))
            lamp = rng.random() < .6
            shaft = rng.uniform(.25, .32)
            width = .85 if lamp else shaft * 1.2
            self._add(POLE, x, z, width, rng.uniform(3.2, 4.8),
                      [metal, rgb_of(48, .35, .95), metal * .7], variant=int(lamp),
                      solid=shaft / width)

    def _signs(self, count: int) -> None:
        plates = self.rng.permutation(4)
        for i, (x, z) in enumerate(self._spots(count, (5.8, 12.5), (GRASS, SIDEWALK), .5, .52)):
            rng, size, foot = self.rng, self.rng.uniform(.68, .88), self.rng.uniform(1.5, 1.9)
            hue, variant = ((2, 0), (215, 0), (48, 1), (212, 2))[plates[i % 4]]
            plate = rgb_of(hue + rng.normal() * 4, rng.uniform(.8, .95), rng.uniform(.75, .95))
            white = rgb_of(0, 0, .95)
            self._add(SIGN, x, z - .03, size, size, [plate, white, white * (variant != 1)],
                      base_m=foot, variant=variant)
            grey = rgb_of(210, .08, rng.uniform(.45, .62))
            self._add(POLE, x, z, .22, foot + .2, [grey, grey, grey * .7])

    def _speed(self, share: float, range_mps: tuple[float, float]) -> float:
        """Speed along X in m/s of a thing that moves with probability ``share``."""
        if self.rng.random() >= share:
            return 0.0
        return float(self.rng.choice((-1, 1))) * self.rng.uniform(*range_mps)

    def _bicycles(self, count: int) -> None:
        hues = self._hues(count)
        spots = self._spots(count, (6, 9.5), (ROAD, SIDEWALK, GRASS), .95, .46)
        for hue, (x, z) in zip(hues, spots, strict=True):
            rng = self.rng
            speed = self._speed(.4, (.4, 1.2))
            self._add(BICYCLE, x, z, rng.uniform(1.7, 1.9), rng.uniform(1.05, 1.2),
                      [rgb_of(hue, .85, .85), rgb_of(0, 0, .1), rgb_of(hue, .12, .5),
                       rgb_of(20, .5, .2), rgb_of(0, 0, .72)], speed_mps=speed, reach_m=10.0)

    def _persons(self, count: int) -> None:
        hues = self._hues(count)
        spots = self._spots(count, (5.6, 11), (ROAD, SIDEWALK, GRASS), .4)
        for hue, (x, z) in zip(hues, spots, strict=True):
            rng, height = self.rng, self.rng.uniform(1.55, 1.9)
            skin = rgb_of(rng.uniform(16, 28), rng.uniform(.35, .6), rng.uniform(.4, .9))
            speed = self._speed(.65, (.3, 1.1))
            self._add(PERSON, x, z, height * .42, height,
                      [rgb_of(hue, rng.uniform(.5, .9), rng.uniform(.5, .95)),
                       rgb_of(rng.uniform(200, 260), rng.uniform(.1, .6), rng.uniform(.15, .45)),
                       skin, rgb_of(25, .5, rng.uniform(.08, .5)), rgb_of(0, 0, .12)],
                      speed_mps=speed, reach_m=10.0)
