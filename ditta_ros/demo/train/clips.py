"""Augmented training clips for the tracker: images, objects' masks and the clicks on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ditta_ros.demo.shifts import KINDS, Shift
from ditta_ros.demo.train.pool import Pool
from ditta_ros.demo.train.segmenter import normalise


@dataclass(frozen=True)
class Batch:
    """``clips`` clips of T frames with K objects each, at the tracker's square input size S.

    ``pixels`` float [clips * T, 3, S, S], normalised; ``masks`` bool [N, T, S, S] of the
    N = clips * K objects; ``clip`` int64 [N], the clip of each object; ``click`` float [N, 2],
    x before y, in input pixels of frame 0; ``semantic`` int64 [clips * T, S/4, S/4].
    """

    pixels: torch.Tensor
    masks: torch.Tensor
    clip: torch.Tensor
    click: torch.Tensor
    semantic: torch.Tensor

    @property
    def frames(self) -> int:
        """Frames of each clip, T."""
        return self.masks.shape[1]

    def to(self, device: str) -> Batch:
        """Return the batch on ``device``."""
        return Batch(self.pixels.to(device), self.masks.to(device), self.clip.to(device),
                     self.click.to(device), self.semantic.to(device))


@dataclass(frozen=True)
class _Clip:
    rgb: np.ndarray  # float32 [T, S, S, 3], 0..1
    instance: np.ndarray  # uint8 [T, S, S]
    semantic: np.ndarray  # uint8 [T, S, S]
    reliability: np.ndarray  # uint8 [S, S], frame 0


def draw_batch(
    pool: Pool, rng: np.random.Generator, clips: int, frames: int, objects: int, size_px: int,
    by_class: bool = False, min_area_share: float = 0.0025,
) -> Batch:
    """Draw ``clips`` clips of ``frames`` frames with ``objects`` clicked objects each.

    ``by_class``: every class is as likely as any other, as among DiTTA's prompts; else large
    objects are somewhat more likely than small ones.  Objects smaller than ``min_area_share`` of
    the image are not asked for.
    """
    pixels: list[torch.Tensor] = []
    masks, owner, clicks, semantic = [], [], [], []
    while len(pixels) < clips:
        clip = _augmented(pool, rng, frames, size_px)
        ids = _pick_objects(
            clip.instance[0], clip.semantic[0] if by_class else None, rng, objects,
            min_area_share)
        if ids is None:
            continue
        for object_id in ids:
            mask = clip.instance == object_id
            masks.append(mask)
            clicks.append(_click(mask[0], clip.reliability, rng))
            owner.append(len(pixels))
        pixels.append(normalise(clip.rgb))
        semantic.append(clip.semantic[:, 2::4, 2::4].astype(np.int64))
    return Batch(torch.cat(pixels), torch.from_numpy(np.stack(masks)), torch.tensor(owner),
                 torch.tensor(clicks, dtype=torch.float32),
                 torch.from_numpy(np.concatenate(semantic)))


def _augmented(pool: Pool, rng: np.random.Generator, frames: int, size_px: int) -> _Clip:
    """Crop, mirror, reverse, recolour and shift one clip of the pool."""
    clip = int(rng.integers(len(pool)))
    height_px, width_px = pool.rgb.shape[2:4]
    scale = rng.uniform(0.65, 1.0) if rng.random() < 0.5 else 1.0
    crop_h, crop_w = int(height_px * scale), int(width_px * scale)
    top, left = rng.integers(height_px - crop_h + 1), rng.integers(width_px - crop_w + 1)
    mirror = rng.random() < 0.5
    start = rng.integers(pool.rgb.shape[1] - frames + 1)
    order = np.arange(start, start + frames)
    order = order[::-1] if rng.random() < 0.5 else order
    recolour = _recolour(rng)
    shift = Shift(str(rng.choice(KINDS)), rng.uniform(0, 1)) if rng.random() < 0.45 else None
    seed = int(rng.integers(1 << 31))

    def cut(array: np.ndarray, interpolation: int) -> np.ndarray:
        array = array[top:top + crop_h, left:left + crop_w]
        array = cv2.resize(array, (size_px, size_px), interpolation=interpolation)
        return array[:, ::-1] if mirror else array

    images, instances, semantics = [], [], []
    for position in order:
        rgb = cut(pool.rgb[clip, position], cv2.INTER_AREA)
        if shift is not None:
            depth_m = cut(pool.depth_m[clip, position].astype(np.float32), cv2.INTER_NEAREST)
            rgb = shift.apply(np.ascontiguousarray(rgb), depth_m, int(position), seed)
        images.append(recolour(rgb.astype(np.float32) / 255))
        instances.append(cut(pool.instance[clip, position], cv2.INTER_NEAREST))
        semantics.append(cut(pool.semantic[clip, position], cv2.INTER_NEAREST))
    return _Clip(np.stack(images), np.stack(instances), np.stack(semantics),
                 cut(pool.reliability[clip, order[0]], cv2.INTER_NEAREST))


def _recolour(rng: np.random.Generator):  # type: ignore[no-untyped-def]
    gain = rng.uniform(0.75, 1.25, 3) if rng.random() < 0.5 else np.ones(3)
    gamma = rng.uniform(0.75, 1.35) if rng.random() < 0.3 else 1.0
    channels = rng.permutation(3) if rng.random() < 0.1 else np.arange(3)

    def apply(rgb: np.ndarray) -> np.ndarray:
        return np.clip(rgb[..., channels] ** np.float32(gamma) * np.float32(gain), 0, 1)
    return apply


def _pick_objects(
    instance: np.ndarray, semantic: np.ndarray | None, rng: np.random.Generator, objects: int,
    min_area_share: float,
) -> np.ndarray | None:
    """Ids of ``objects`` instances, repeated where there are too few; None: less than two."""
    ids, first, area_px = np.unique(instance, return_index=True, return_counts=True)
    large = area_px > min_area_share * instance.size
    if large.sum() < 2:
        return None
    ids, weight = ids[large], area_px[large] ** 0.35
    if semantic is not None:
        class_id = semantic.flat[first[large]]
        weight /= [weight[class_id == own].sum() for own in class_id]
    return rng.choice(ids, objects, replace=len(ids) < objects, p=weight / weight.sum())


def _click(
    mask: np.ndarray, reliability: np.ndarray, rng: np.random.Generator,
) -> tuple[float, float]:
    """A click as DiTTA makes it, on a most reliable pixel, or anywhere well inside the object."""
    sure = np.where(mask, reliability, 0).astype(np.int64)
    choice = rng.random()
    most = int(sure.max())
    if choice < 0.6 and most > 0:
        inside = sure >= (most if choice < 0.3 else max(1, most - 25))
    else:
        depth_px = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
        inside = depth_px >= (0.35 * depth_px.max() if choice < 0.85 else 1e-6)
    y, x = np.nonzero(inside)
    index = rng.integers(len(y))
    return float(x[index]) + 0.5, float(y[index]) + 0.5
