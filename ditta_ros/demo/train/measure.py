"""What the embedded models can do, on worlds that they have never seen: the cards' figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ditta_ros.demo.shifts import KINDS, Shift
from ditta_ros.demo.train.progress import Tell
from ditta_ros.demo.world import NAMES, World, WorldFrame, stream
from ditta_ros.evaluation.metrics import Confusion
from ditta_ros.frame import Frame
from ditta_ros.labeller import IssLabeller
from ditta_ros.prompts import Prompt, propose
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings
from ditta_ros.tracker import Sam2Tracker

SEEDS = tuple(range(1000, 1016))
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
RATE_HZ = 10.0
TRACKED_FRAMES = 20
# A track is scored on the frames in which at least this much of its object is in view.
MIN_VISIBLE_PX = 20
TAU = Settings().tau


@dataclass(frozen=True)
class TrackQuality:
    """Mean J (intersection over union) per object and frame, and its share per class."""

    mean_j: float
    per_class_j: dict[str, float]
    objects: int


def stills() -> list[tuple[int, int, WorldFrame]]:
    """Return seed, frame index and clean frame of every fifth of 40 frames of each seed."""
    return [(seed, index, world.frame(index / RATE_HZ))
            for seed in SEEDS for world in [World(seed)] for index in range(0, 40, 5)]


def segmentation_quality(
    segmenter: Segmenter, frames: list[tuple[int, int, WorldFrame]], shift: Shift | None,
) -> tuple[float, dict[str, float]]:
    """Return mIoU and the IoU per class over ``frames`` (see :func:`stills`) under a shift."""
    confusion = Confusion(len(NAMES))
    for seed, index, world in frames:
        rgb = world.rgb if shift is None else shift.apply(world.rgb, world.depth_m, index, seed)
        label, _ = _label(segmenter, rgb)
        confusion.add(world.semantic, label.cpu().numpy())
    per_class = confusion.class_iou()
    return confusion.mean_iou(), dict(zip(NAMES, per_class.tolist(), strict=True))


def track_quality(
    segmenter: Segmenter, tracker: Sam2Tracker, reverse: bool, from_masks: bool,
    shift: Shift | None = None,
) -> TrackQuality:
    """Prompt one frame as DiTTA does and track 20 frames, on from it or back through the buffer.

    ``from_masks`` starts the same objects from their true masks instead of their clicks.
    """
    scores: dict[str, list[float]] = {name: [] for name in NAMES}
    objects = 0
    for seed in SEEDS:
        frames = list(stream(seed, TRACKED_FRAMES + 1, RATE_HZ, shift))
        start = frames[-1] if reverse else frames[0]
        prompts = propose_on(segmenter, start)
        objects += len(prompts)
        for world, masks in _tracks(tracker, frames, start, prompts, reverse, from_masks):
            for prompt in prompts:
                truth = world.instance == start.instance[prompt.y_px, prompt.x_px]
                if truth.sum() >= MIN_VISIBLE_PX:
                    found = masks[prompt.object_id].cpu().numpy() if (
                        prompt.object_id in masks) else np.zeros_like(truth)
                    name = NAMES[start.semantic[prompt.y_px, prompt.x_px]]
                    scores[name].append(float((found & truth).sum() / (found | truth).sum()))
    every = [score for listed in scores.values() for score in listed]
    return TrackQuality(float(np.mean(every)), {
        name: float(np.mean(listed)) for name, listed in scores.items() if listed}, objects)


def propose_on(segmenter: Segmenter, world: WorldFrame) -> list[Prompt]:
    """The prompts that DiTTA would make on a first frame."""
    label, reliability = _label(segmenter, world.rgb)
    return propose(label, reliability, None, TAU, margin_px=0, first_object_id=1, room=100, t=0)


def _label(segmenter: Segmenter, rgb: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    frame = Frame.from_array(rgb, device=segmenter.device)
    with torch.no_grad():
        return IssLabeller(segmenter.head).label(segmenter.encode(frame), frame.size_px, TAU)


def _tracks(
    tracker: Sam2Tracker, frames: list[WorldFrame], start: WorldFrame, prompts: list[Prompt],
    reverse: bool, from_masks: bool,
) -> Iterator[tuple[WorldFrame, dict[int, torch.Tensor]]]:
    """Yield each frame but the prompted one with the masks on it."""
    images = [torch.from_numpy(world.rgb) for world in frames]
    tracker.start(start.rgb.shape[:2])
    for image in images if reverse else images[:1]:
        tracker.track(image)
    if from_masks:
        _, backward = tracker.start_from_masks({
            prompt.object_id: torch.from_numpy(
                start.instance == start.instance[prompt.y_px, prompt.x_px])
            for prompt in prompts})
    else:
        _, backward = tracker.prompt(prompts)
    if reverse:
        # A tracker that has seen nothing for long stops early: no masks from there on.
        yield from zip_longest(frames[-2::-1], backward, fillvalue={})
    else:
        for world, image in zip(frames[1:], images[1:], strict=True):
            yield world, tracker.track(image)


def measure_segmenter(folder: Path, tell: Tell) -> dict[Any, Any]:
    """Return {'clean': .., 'per_class': .., 'shifts': {kind: {strength: mIoU}}}."""
    segmenter = Segmenter.load(str(folder), 'cpu')
    frames = stills()
    clean, per_class = segmentation_quality(segmenter, frames, None)
    figures: dict[str, Any] = {'clean': clean, 'per_class': per_class, 'shifts': {}}
    steps, done = len(KINDS) * len(STRENGTHS), 0
    for kind in KINDS:
        figures['shifts'][kind] = {}
        for strength in STRENGTHS:
            figures['shifts'][kind][strength], _ = segmentation_quality(
                segmenter, frames, Shift(kind, strength))
            done += 1
            tell(done, steps, f'clean {clean:.3f}')
    return figures


def measure_tracker(segmenter_folder: Path, tracker: Sam2Tracker, tell: Tell) -> dict[Any, Any]:
    """Return {(prompt, direction): TrackQuality} for clicks and masks, forward and reverse."""
    segmenter = Segmenter.load(str(segmenter_folder), 'cpu')
    figures, text = {}, ''
    for prompt in ('click', 'mask'):
        for direction in ('forward', 'reverse'):
            quality = track_quality(segmenter, tracker, direction == 'reverse', prompt == 'mask')
            figures[prompt, direction] = quality
            text += f'{prompt} {direction} {quality.mean_j:.3f}  '
            tell(len(figures), 4, text)
    return figures
