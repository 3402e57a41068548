"""How one object of the demo world looks: its parts, drawn on the unit square.

A shape function maps ``u`` (left to right) and ``v`` (top to bottom), both float32 [h, w] in 0..1,
to a part index per pixel, uint8 [h, w]: 0 is outside the silhouette, 1.. index ``Item.palette``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

NAMES = ('sky', 'road', 'sidewalk', 'grass', 'building', 'tree',
         'fence', 'pole', 'sign', 'person', 'bicycle', 'vehicle')
(SKY, ROAD, SIDEWALK, GRASS, BUILDING, TREE,
 FENCE, POLE, SIGN, PERSON, BICYCLE, VEHICLE) = range(len(NAMES))

TEXTURE_PX = 128  # a power of two: wrapped by a bit mask

# How far the noise texture moves a part's brightness, and how round the body is lit.
GRAIN = {BUILDING: .16, TREE: .9, FENCE: .25, POLE: .15, SIGN: .06, PERSON: .25,
         BICYCLE: .15, VEHICLE: .08}
ROUNDNESS = {BUILDING: .06, TREE: .45, FENCE: .1, POLE: .7, SIGN: .1, PERSON: .35,
             BICYCLE: .15, VEHICLE: .15}
# Width and height in px under which an object of a class is left out: nobody could name it.
SMALLEST_PX = {BUILDING: (3, 6), TREE: (6, 8), FENCE: (6, 5), POLE: (4, 8), SIGN: (6, 8),
               PERSON: (6, 8), BICYCLE: (6, 8), VEHICLE: (8, 8)}


@dataclass(frozen=True)
class Item:
    """One upright, textured rectangle of the world that carries a silhouette.

    It faces the camera at depth ``z_m`` around ``x_m``; where ``along_street`` is set it stands on
    the plane X = ``x_m`` instead and reaches from ``z_m`` to ``z_m + width_m``.  ``base_m`` is the
    height of its foot above the ground.  A moving item runs with ``speed_mps`` along X and comes
    back at the other end of +-``reach_m``.  ``palette`` is float32 [parts + 1, 3], RGB 0..1.
    """

    kind: int
    instance: int
    x_m: float
    z_m: float
    width_m: float
    height_m: float
    palette: np.ndarray
    base_m: float = 0.0
    speed_mps: float = 0.0
    reach_m: float = 14.0
    along_street: bool = False
    variant: int = 0
    phase: float = 0.0  # 0..1, whatever repeats in the shape starts here
    solid: float = 1.0  # share of the width that is solid, for the smallest size drawn

    def x_at(self, time_s: float) -> float:
        """Where the middle of the item is at ``time_s``, in metres."""
        x = self.x_m + self.speed_mps * time_s
        return (x + self.reach_m) % (2 * self.reach_m) - self.reach_m if self.speed_mps else x


def noise_texture(rng: np.random.Generator, octaves: int = 4) -> np.ndarray:
    """Smooth noise that tiles, float32 [TEXTURE_PX, TEXTURE_PX] in 0..1."""
    total = np.zeros((TEXTURE_PX, TEXTURE_PX), np.float32)
    for octave in range(octaves):
        cells = 4 * 2 ** octave
        step = TEXTURE_PX // cells
        grid = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 1, mode='wrap')
        size = TEXTURE_PX + 2 * step
        fine = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        total += .6 ** octave * fine[step:-step, step:-step]
    total -= total.min()
    return total / total.max()


def rgb_of(hue_deg: float, saturation: float, value: float) -> np.ndarray:
    """One colour, float32 [3], RGB 0..1, from hue in degrees and two shares 0..1."""
    hsv = np.array([[[hue_deg % 360., saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0])


def _ellipse(u: np.ndarray, v: np.ndarray, middle: tuple[float, float],
             radius: tuple[float, float]) -> np.ndarray:
    return ((u - middle[0]) / radius[0]) ** 2 + ((v - middle[1]) / radius[1]) ** 2 < 1


def _box(u: np.ndarray, v: np.ndarray, left: float, top: float, right: float,
         bottom: float) -> np.ndarray:
    return (u >= left) & (u <= right) & (v >= top) & (v <= bottom)


def _stroke(u: np.ndarray, v: np.ndarray, start: tuple[float, float], end: tuple[float, float],
            width: float, aspect: float) -> np.ndarray:
    """Points within ``width`` / 2 of a segment; ``v`` counts ``aspect`` times as much as ``u``."""
    du, dv = end[0] - start[0], (end[1] - start[1]) * aspect
    pu, pv = u - start[0], (v - start[1]) * aspect
    share = np.clip((pu * du + pv * dv) / (du * du + dv * dv), 0, 1)
    return (pu - share * du) ** 2 + (pv - share * dv) ** 2 < (width / 2) ** 2


def _building(item: Item, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Parts: wall, window, frame, roof, door, plinth."""
    across = u * item.width_m
    up = (1 - v) * item.height_m
    part = np.ones(u.shape, np.uint8)
    storey, bay = 2.6, item.width_m / max(round(item.width_m / 1.9), 1)
    wall_top = item.height_m * (.74 if item.variant == 1 else .93)
    in_u, in_v = across % bay / bay, up % storey / storey
    glazed = (up < wall_top - .45) & (up // storey * storey + 2.2 < wall_top)
    part[glazed & _box(in_u, in_v, .2, .3, .8, .84)] = 3
    part[glazed & _box(in_u, in_v, .26, .35, .74, .79) & (abs(in_u - .5) > .03)] = 2
    bays = max(round(item.width_m / bay), 1)
    entrance = (across // bay).astype(int) == int(item.phase * bays)
    ground = up < storey
    part[entrance & ground] = 1
    part[entrance & ground & (in_u > .25) & (in_u < .75) & (up < 2.1)] = 5
    part[(up < .3) & (part == 1)] = 6
    part[up > wall_top] = 4
    if item.variant == 1:  # a gable: the roof narrows towards its ridge
        slope = (up - wall_top) / (item.height_m - wall_top)
        part[abs(u - .5) > .5 * (1 - slope) + .08 * (1 - slope) + .02] = 0
    return part


def _tree(item: Item, u: np.ndarray, v: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Parts: crown, trunk, the lit upper side of the crown."""
    part = np.zeros(u.shape, np.uint8)
    part[(abs(u - .5) < .075 + .05 * np.clip(v - .85, 0, 1)) & (v > .45)] = 2
    squash = 1.0 if item.variant == 0 else .7 + .75 * v  # variant 1 tapers to a tip
    edge = ((u - .5) / (.5 * np.clip(squash, 0, 1))) ** 2 + ((v - .35) / .35) ** 2
    part[edge < .66 + .6 * (grain - .3)] = 1
    light = ((u - .45) / .42) ** 2 + ((v - .24) / .24) ** 2
    part[(part == 1) & (light < .35 + 1.1 * (grain - .3))] = 3
    return part


def _fence(item: Item, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Parts: slat, the dark gap between slats, rail."""
    slat = u * item.width_m / .24 % 1
    part = np.where(slat < .68, 1, 2).astype(np.uint8)
    part[_box(slat * 0, v, 0, .24, 1, .36) | _box(slat * 0, v, 0, .7, 1, .82)] = 3
    if item.variant == 1:  # pointed slats
        part[v < .16 * np.clip(abs(slat - .34) * 2, 0, 1)] = 0
    return part


def _pole(item: Item, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Parts: shaft, lamp, foot.  Variant 0 is a bare post, 1 a lamp post with an arm."""
    half = item.solid / 2
    part = np.where(abs(u - .5) <= half, 1, 0).astype(np.uint8)
    if item.variant == 1:
        part[v < .012] = 0
        part[_ellipse(u, v, (.5, .055), (.5, .05))] = 2
    part[(v > .93) & (abs(u - .5) <= half * 1.5)] = 3
    return part


def _sign(item: Item, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Parts: plate, border, symbol.  Variant 0 is a disc, 1 a triangle, 2 a rectangle."""
    if item.variant == 0:
        edge = 2 * np.hypot(u - .5, v - .5)
    elif item.variant == 1:
        edge = np.maximum(abs(u - .5) * 2 / np.maximum(v, .02), 1.55 * abs(v - .62) / .6)
    else:
        edge = 2 * np.maximum(abs(u - .5), abs(v - .5))
    part = np.where(edge < 1, 2, 0).astype(np.uint8)
    part[edge < .76] = 1
    bar = _box(u, v, .26, .42, .74, .58) if item.phase < .5 else _box(u, v, .42, .34, .58, .74)
    part[bar & (edge < .76)] = 3
    return part


def _person(item: Item, u: np.ndarray, v: np.ndarray, time_s: float) -> np.ndarray:
    """Parts: torso and arms, legs, head, hair, shoes."""
    swing = float(np.sin(6.283 * (item.phase + 1.1 * time_s))) if item.speed_mps else .35
    part = np.zeros(u.shape, np.uint8)
    aspect = item.height_m / item.width_m
    for side in (-1, 1):
        hip, foot = (.5 + .1 * side, .55), (.5 + .1 * side + .2 * side * swing, .95)
        part[_stroke(u, v, hip, foot, .27, aspect)] = 2
        part[_ellipse(u, v, (foot[0] + .03, .965), (.15, .035))] = 5
    for side in (-1, 1):
        hand = (.5 + .36 * side - .1 * side * abs(swing), .53)
        part[_stroke(u, v, (.5 + .25 * side, .24), hand, .19, aspect)] = 1
    part[_ellipse(u, v, (.5, .38), (.34, .215)) & (v < .58)] = 1
    part[_ellipse(u, v, (.5, .095), (.23, .095))] = 3
    part[_ellipse(u, v, (.5, .07), (.25, .07)) & (v < .075)] = 4
    return part


def _bicycle(item: Item, u: np.ndarray, v: np.ndarray, time_s: float) -> np.ndarray:
    """Parts: frame, tyre, wheel (seen through, so light), saddle and handlebar, spokes."""
    aspect = item.height_m / item.width_m
    radius = .205 / aspect
    turn = item.phase * 6.283 + item.speed_mps * time_s / .34
    part = np.zeros(u.shape, np.uint8)
    for middle in (.21, .79):
        du, dv = (u - middle) / .205, (v - 1 + radius) / radius
        rim = np.hypot(du, dv)
        part[rim < 1] = 2
        part[rim < .74] = 3
        part[(rim < .74) & (np.cos(3 * (np.arctan2(dv, du) - turn)) > .8)] = 5
    hub = 1 - radius
    for start, end in (((.21, hub), (.4, .38)), ((.4, .38), (.7, .34)), ((.7, .34), (.46, hub)),
                       ((.4, .38), (.46, hub)), ((.21, hub), (.46, hub)), ((.7, .2), (.79, hub)),
                       ((.4, .38), (.37, .16))):
        part[_stroke(u, v, start, end, .07, aspect)] = 1
    part[_stroke(u, v, (.29, .13), (.45, .13), .09, aspect)] = 4
    part[_stroke(u, v, (.62, .15), (.74, .1), .08, aspect)] = 4
    return part


def _vehicle(item: Item, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Parts: body, glass, tyre, hub, light, shadowed sill.  Variant 2 is a car from behind."""
    part = np.zeros(u.shape, np.uint8)
    if item.variant == 2:
        part[_box(u, v, .08, .7, .28, 1) | _box(u, v, .72, .7, .92, 1)] = 3
        part[(abs(u - .5) < .36 + .3 * np.clip(v - .04, 0, .45)) & (v < .5) & (v > .02)] = 1
        part[_box(u, v, .02, .42, .98, .86)] = 1
        part[(abs(u - .5) < .29 + .2 * v) & (v > .1) & (v < .38)] = 2
        part[_box(u, v, .05, .48, .2, .6) | _box(u, v, .8, .48, .95, .6)] = 5
        part[_box(u, v, .38, .58, .62, .7)] = 4
        part[_box(u, v, .04, .76, .96, .86)] = 6
        return part
    top, slope = (.02, .1) if item.variant == 1 else (.04, .42)  # a van is a box, a car slopes
    right = .93 if item.variant == 1 else .74
    cabin = (v > top) & (v < .48) & (u > .06 + slope * (.48 - v)) & (u < right - slope * (v < .48)
                                                                   * (.48 - v) * .6)
    part[cabin | (_box(u, v, .015, .42, .985, .84) & ((v > .5) | (u > .04) & (u < .94)))] = 1
    glass = (v > top + .08) & (v < .42) & (u > .12 + slope * (.48 - v)) \
        & (u < right - .05 - slope * (.48 - v) * .6)
    part[glass & (abs(u - .44) > .02)] = 2
    part[_box(u, v, .015, .76, .985, .85)] = 6
    part[_box(u, v, .95, .52, .985, .62) | _box(u, v, .015, .52, .045, .62)] = 5
    aspect = item.height_m / item.width_m
    for middle in (.2, .79):
        reach = np.hypot(u - middle, (v - .81) * aspect) / (.19 * aspect)
        part[reach < 1] = 3
        part[reach < .5] = 4
    return part


_STILL = {BUILDING: _building, FENCE: _fence, POLE: _pole, SIGN: _sign, VEHICLE: _vehicle}
_LIVELY = {PERSON: _person, BICYCLE: _bicycle}  # legs swing, wheels turn


def parts_of(item: Item, u: np.ndarray, v: np.ndarray, grain: np.ndarray,
             time_s: float) -> np.ndarray:
    """Part index uint8 [h, w] of ``item`` at ``u``, ``v`` (0..1); ``grain`` is noise 0..1."""
    if item.speed_mps < 0:  # everything is drawn as it moves to the right
        u = 1 - u
    if item.kind == TREE:
        return _tree(item, u, v, grain)
    if item.kind in _LIVELY:
        return _LIVELY[item.kind](item, u, v, time_s)
    return _STILL[item.kind](item, u, v)
