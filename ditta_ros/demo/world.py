"""A seeded procedural street as a video with exact labels, instances and depth.

``World(seed).frame(time_s)`` is a pure function of seed and time.  Geometry: a pinhole camera at
height h over the plane Y = 0 sees a point (X, Y, Z) at x = W/2 - pan + (X - cx) f / z and
y = horizon + (h - Y) f / z with z = Z - cz.  Every pixel is written once per nearer object, into
picture, class, instance and depth by the same mask, so the truth is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from .objects import Builder
from .scene import GROUND_CLASS, LAWN, Camera, Ground, Pose
from .shapes import (
    BUILDING,
    GRAIN,
    NAMES,
    ROUNDNESS,
    SKY,
    SMALLEST_PX,
    TEXTURE_PX,
    Item,
    noise_texture,
    parts_of,
    rgb_of,
)
from .shifts import Shift

__all__ = ['NAMES', 'PALETTE', 'SIZE_PX', 'World', 'WorldFrame', 'stream']

# One colour per class, RGB, in the order of NAMES.
PALETTE = np.array([
    (120, 180, 230), (110, 95, 125), (225, 150, 200), (130, 200, 90), (160, 130, 110),
    (30, 110, 50), (200, 160, 90), (245, 245, 245), (250, 220, 30), (220, 30, 60),
    (20, 190, 190), (30, 60, 200)], np.uint8)
SIZE_PX = (192, 256)
FAR_M = 60.0  # depth of the sky, and the largest depth
NEAR_M = 1.0


@dataclass(frozen=True)
class WorldFrame:
    """One picture of the world with its truth.

    ``rgb`` uint8 [H, W, 3]; ``semantic`` uint8 [H, W], index into NAMES; ``instance`` uint16
    [H, W], the same object has the same number in every frame (1 sky, 2 road, 3 sidewalk, 4 grass,
    10.. objects, 0 never); ``depth_m`` float32 [H, W], distance along the optical axis, at most
    60 m (the sky's).
    """

    rgb: np.ndarray
    semantic: np.ndarray
    instance: np.ndarray
    depth_m: np.ndarray


class World:
    """The street that belongs to ``seed``, seen in images of ``size_px`` (height, width)."""

    def __init__(self, seed: int, size_px: tuple[int, int] = SIZE_PX) -> None:
        rng = np.random.default_rng(seed)
        self.size_px = size_px
        self.camera = Camera.draw(rng, size_px)
        self.ground = Ground.draw(rng)
        # Nothing stands nearer than 3.8 m to where the camera comes to rest.
        self.items = Builder(rng, self.ground, self.camera.travel_m + 3.8).build()
        self._textures = [noise_texture(rng) for _ in range(4)]
        self._sun = float(rng.choice((-1.0, 1.0))) * rng.uniform(.3, 1.0)
        warm = rng.uniform(-.06, .06)
        # Times 255: the picture is kept in 0..1 until it is exposed.
        self._light = 255 * rng.uniform(.88, 1.08) * np.array([1 + warm, 1, 1 - warm], np.float32)
        self._sky, self._haze = self._draw_sky(rng)

    def frame(self, time_s: float) -> WorldFrame:
        """Render the world as it is at ``time_s`` seconds."""
        height, width = self.size_px
        pose = self.camera.pose(time_s)
        rgb = np.empty((height, width, 3), np.float32)
        out = WorldFrame(rgb, np.full((height, width), SKY, np.uint8),
                         np.ones((height, width), np.uint16),
                         np.full((height, width), FAR_M, np.float32))
        self._paint_sky(out, pose)
        self._paint_ground(out, pose)
        placed = [(item, item.x_at(time_s)) for item in self.items]
        for item, x_m in placed:
            self._paint_shadow(out, item, x_m, pose)
        for item, x_m in placed:
            if item.along_street:
                self._paint_along(out, item, pose, time_s)
            else:
                self._paint_facing(out, item, x_m, pose, time_s)
        return WorldFrame(self._expose(out), out.semantic, out.instance, out.depth_m)

    def _draw_sky(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Panorama float32 [2H, 3W, 3] with clouds, horizon in its middle, and haze colour [3]."""
        height, width = self.size_px
        hue = rng.uniform(200, 222)
        top = rgb_of(hue, rng.uniform(.35, .65), rng.uniform(.75, .95))
        low = rgb_of(hue - rng.uniform(0, 20), rng.uniform(.06, .2), rng.uniform(.9, .98))
        up = np.clip(1 - np.arange(2 * height, dtype=np.float32) / height, 0, .45) / .45
        picture = low + (top - low) * up[:, None, None]
        clouds = np.tile(noise_texture(rng), (1, 3))
        clouds = cv2.resize(clouds, (3 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
        cover = np.clip((clouds - rng.uniform(.45, .62)) / .25, 0, 1) * np.minimum(1, .25 + up)[
            :, None]
        picture = picture + (.97 - picture) * cover[..., None] * .85
        return picture.astype(np.float32), low

    def _paint_sky(self, out: WorldFrame, pose: Pose) -> None:
        height, width = self.size_px
        left = int(np.clip(width + pose.pan_px, 0, 2 * width))
        top = int(np.clip(height - pose.horizon_px, 0, height))
        out.rgb[:] = self._sky[top:top + height, left:left + width]

    def _paint_ground(self, out: WorldFrame, pose: Pose) -> None:
        height, width = self.size_px
        first = max(int(np.floor(pose.horizon_px)) + 2, 0)
        rows = np.arange(first, height, dtype=np.float32)[:, None] + .5
        columns = np.arange(width, dtype=np.float32)[None] + .5
        depth = self.camera.focal_px * self.camera.height_m / (rows - pose.horizon_px)  # [h, 1]
        x = (columns - width / 2 + pose.pan_px) * depth / self.camera.focal_px + pose.x_m
        z = np.broadcast_to(depth + pose.z_m, x.shape)
        part = self.ground.parts(x, z)
        rough = self._texture(0, x * 40, z * 40) * (part != LAWN) * .35
        rough += self._texture(1, x * 60, z * 60) * (part == LAWN) * .8
        shade = 1 + rough * np.clip(1.25 - depth / 18, .1, 1)
        shade += .18 * self._texture(2, x * 9, z * 9)
        label = GROUND_CLASS[part]
        out.rgb[first:] = self.ground.palette[part] * shade[..., None]
        out.semantic[first:] = label
        out.instance[first:] = label + 1  # road 2, sidewalk 3, grass 4
        out.depth_m[first:] = np.minimum(depth, FAR_M)

    def _texture(self, which: int, across: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Noise -.5..+.5 at texel coordinates that broadcast."""
        texture, wrap = self._textures[which], TEXTURE_PX - 1
        return texture[up.astype(np.int32) & wrap, across.astype(np.int32) & wrap] - .5

    def _column(self, x_m: float, depth_m: float, pose: Pose) -> float:
        """Image column in px of a point."""
        return self.size_px[1] / 2 - pose.pan_px + (
            x_m - pose.x_m) * self.camera.focal_px / depth_m

    def _paint_shadow(self, out: WorldFrame, item: Item, x_m: float, pose: Pose) -> None:
        """Darken the ground under an object; the truth does not change."""
        depth = item.z_m - pose.z_m
        if depth < NEAR_M or item.along_street or item.base_m or item.kind == BUILDING:
            return
        scale = self.camera.focal_px / depth
        middle_x = self._column(x_m + .12 * self._sun, depth, pose)
        middle_y = pose.horizon_px + self.camera.height_m * scale
        half_w = .55 * item.width_m * scale
        half_h = max(.28 * self.camera.height_m * scale / depth, 1.5)
        box = self._window(middle_x - half_w, middle_y - half_h, middle_x + half_w,
                           middle_y + half_h)
        if box is None:
            return
        rows, columns, y, x = box
        inside = np.clip(1 - ((x - middle_x) / half_w) ** 2 - ((y - middle_y) / half_h) ** 2, 0, 1)
        inside *= out.semantic[rows, columns] != SKY
        out.rgb[rows, columns] *= 1 - .5 * np.sqrt(inside)[..., None]

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[
            slice, slice, np.ndarray, np.ndarray] | None:
        """Rows and columns of a rectangle cut to the image, with pixel centres y [h, 1], x [w]."""
        height, width = self.size_px
        x0, x1 = max(int(np.floor(left)), 0), min(int(np.ceil(right)), width)
        y0, y1 = max(int(np.floor(top)), 0), min(int(np.ceil(bottom)), height)
        if x0 >= x1 or y0 >= y1:
            return None
        return (slice(y0, y1), slice(x0, x1),
                np.arange(y0, y1, dtype=np.float32)[:, None] + .5,
                np.arange(x0, x1, dtype=np.float32)[None] + .5)

    def _paint_facing(self, out: WorldFrame, item: Item, x_m: float, pose: Pose,
                      time_s: float) -> None:
        depth = item.z_m - pose.z_m
        if depth < NEAR_M:
            return
        scale = self.camera.focal_px / depth
        width, height = item.width_m * scale, item.height_m * scale
        small = SMALLEST_PX[item.kind]
        if width * item.solid < small[0] or height < small[1]:
            return
        left = self._column(x_m, depth, pose) - width / 2
        bottom = pose.horizon_px + (self.camera.height_m - item.base_m) * scale
        box = self._window(left, bottom - height, left + width, bottom)
        if box is None:
            return
        rows, columns, y, x = box
        self._paint(out, item, rows, columns, (x - left) / width, (y - bottom) / height + 1,
                    np.float32(depth), time_s)

    def _paint_along(self, out: WorldFrame, item: Item, pose: Pose, time_s: float) -> None:
        """Paint a face on the plane X = x_m: the ray of column x meets it at one depth."""
        near, side = item.z_m - pose.z_m, item.x_m - pose.x_m
        if near < NEAR_M:
            return
        ends = [self._column(item.x_m, depth, pose) for depth in (near, near + item.width_m)]
        scale = self.camera.focal_px / near
        bottom = pose.horizon_px + self.camera.height_m * scale
        box = self._window(min(ends), bottom - item.height_m * scale, max(ends), bottom)
        if box is None:
            return
        rows, columns, y, x = box
        angle = (x - self.size_px[1] / 2 + pose.pan_px) / self.camera.focal_px  # [1, w]
        with np.errstate(divide='ignore'):
            depth = np.where(angle * side > 0, side / angle, FAR_M)
        up_m = self.camera.height_m - (y - pose.horizon_px) * depth / self.camera.focal_px
        self._paint(out, item, rows, columns, (depth - near) / item.width_m,
                    1 - up_m / item.height_m, depth.astype(np.float32), time_s)

    def _paint(self, out: WorldFrame, item: Item, rows: slice, columns: slice, u: np.ndarray,
               v: np.ndarray, depth_m: np.ndarray | np.float32, time_s: float) -> None:
        """Write the visible part of ``item``; u, v and depth broadcast to the window."""
        nearer = depth_m < out.depth_m[rows, columns]
        if not nearer.any():
            return
        u, v = np.broadcast_arrays(u, v)
        grain = self._texture(3, u * (item.width_m * 24) + item.phase * 97,
                              v * (item.height_m * 24) + item.phase * 61)
        part = parts_of(item, u, v, grain + .5, time_s)
        nearer &= (part > 0) & (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
        seen = np.nonzero(nearer)
        shade = 1 + 2 * GRAIN[item.kind] * grain + ROUNDNESS[item.kind] * (
            self._sun * (u - .5) + .35 * (.5 - v))
        colour = item.palette[part[seen]]
        colour *= shade[seen][:, None]
        out.rgb[rows, columns][seen] = colour
        out.semantic[rows, columns][seen] = item.kind
        out.instance[rows, columns][seen] = item.instance
        out.depth_m[rows, columns][seen] = np.broadcast_to(depth_m, u.shape)[seen]

    def _expose(self, out: WorldFrame) -> np.ndarray:
        """Haze with distance, light of the day and the lens's softness; uint8 [H, W, 3]."""
        clear = np.exp(-.009 * out.depth_m)
        clear[out.semantic == SKY] = 1
        rgb = (out.rgb - self._haze) * clear[..., None]
        rgb += self._haze
        rgb *= self._light
        rgb = cv2.GaussianBlur(rgb, (3, 3), .55)
        return cv2.convertScaleAbs(np.maximum(rgb, 0, out=rgb))


def stream(seed: int, frames: int, rate_hz: float = 10.0, shift: Shift | None = None,
           size_px: tuple[int, int] = SIZE_PX) -> Iterator[WorldFrame]:
    """Yield ``frames`` frames of world ``seed`` from time 0 on, ``rate_hz`` a second.

    ``shift`` changes the pictures only, the truth stays; its noise depends on seed and frame.
    """
    world = World(seed, size_px)
    for index in range(frames):
        frame = world.frame(index / rate_hz)
        if shift is not None:
            rgb = shift.apply(frame.rgb, frame.depth_m, index, seed)
            frame = WorldFrame(rgb, frame.semantic, frame.instance, frame.depth_m)
        yield frame
