"""What the embedded models can do, on worlds that they have never seen: the cards' figures."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
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
from ditta_ros.evaluation.processes import run_all
from ditta_ros.frame import Frame
from ditta_ros.labeller import IssLabeller
from ditta_ros.prompts import Prompt, propose
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings, TrackerSettings
from ditta_ros.tracker import Sam2Tracker

SEEDS = tuple(range(1000, 1016))
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
RATE_HZ = 10.0
TRACKED_FRAMES = 20
# A track is scored on the frames in which at least this much of its object is in view.
MIN_VISIBLE_PX = 20
TAU = Settings().tau


@dataclass(frozen=True)
class TrackScores:
    """J of every object and frame of one world, by class, and the number of objects."""

    scores: dict[str, list[float]]
    objects: int


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


def score_tracks(
    segmenter: Segmenter, tracker: Sam2Tracker, seed: int, reverse: bool, from_masks: bool,
) -> TrackScores:
    """Prompt one frame as DiTTA does and track 20 frames, on from it or back through the buffer.

    ``from_masks`` starts the same objects from their true masks instead of their clicks.
    """
    scores: dict[str, list[float]] = {name: [] for name in NAMES}
    frames = list(stream(seed, TRACKED_FRAMES + 1, RATE_HZ))
    start = frames[-1] if reverse else frames[0]
    prompts = propose_on(segmenter, start, TRACKED_FRAMES if reverse else 0)
    for world, masks in _tracks(tracker, frames, start, prompts, reverse, from_masks):
        for prompt in prompts:
            truth = world.instance == start.instance[prompt.y_px, prompt.x_px]
            if truth.sum() >= MIN_VISIBLE_PX:
                found = masks[prompt.object_id].cpu().numpy() if (
                    prompt.object_id in masks) else np.zeros_like(truth)
                name = NAMES[start.semantic[prompt.y_px, prompt.x_px]]
                scores[name].append(float((found & truth).sum() / (found | truth).sum()))
    return TrackScores(scores, len(prompts))


def track_quality(parts: Sequence[TrackScores]) -> TrackQuality:
    """Return the means over the objects and frames of several worlds."""
    pooled = {name: [score for part in parts for score in part.scores[name]] for name in NAMES}
    every = [score for listed in pooled.values() for score in listed]
    return TrackQuality(
        float(np.mean(every)),
        {name: float(np.mean(listed)) for name, listed in pooled.items() if listed},
        sum(part.objects for part in parts))


def propose_on(segmenter: Segmenter, world: WorldFrame, t: int) -> list[Prompt]:
    """The prompts that DiTTA would make on frame ``t`` if it were the first."""
    label, reliability = _label(segmenter, world.rgb)
    return propose(label, reliability, None, TAU, margin_px=0, first_object_id=1, room=100, t=t)


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


def measure_tracker(
    segmenter_folder: Path, tracker_folder: Path, processes: int, tell: Tell,
) -> dict[Any, Any]:
    """Return {(prompt, direction): TrackQuality} for clicks and masks, forward and reverse."""
    ways = [(prompt, direction) for prompt in ('click', 'mask')
            for direction in ('forward', 'reverse')]
    jobs = [_Job(segmenter_folder, tracker_folder, seed, direction == 'reverse', prompt == 'mask')
            for prompt, direction in ways for seed in SEEDS]
    done = itertools.count(1)
    parts = run_all(_run, jobs, processes, lambda: tell(next(done), len(jobs), 'worlds'))
    count = len(SEEDS)
    return {way: track_quality(parts[start:start + count])
            for way, start in zip(ways, range(0, len(jobs), count), strict=True)}


@dataclass(frozen=True)
class _Job:
    segmenter: Path
    tracker: Path
    seed: int
    reverse: bool
    from_masks: bool


def _run(job: _Job) -> TrackScores:
    segmenter, tracker = _models(job.segmenter, job.tracker)
    return score_tracks(segmenter, tracker, job.seed, job.reverse, job.from_masks)


@functools.cache
def _models(segmenter: Path, tracker: Path) -> tuple[Segmenter, Sam2Tracker]:
    """Load both models, once in each process."""
    return Segmenter.load(str(segmenter), 'cpu'), Sam2Tracker.load(TrackerSettings(
        config=str(tracker / 'model.yaml'), checkpoint=str(tracker / 'model.safetensors')), 'cpu')
