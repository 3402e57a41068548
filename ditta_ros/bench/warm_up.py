"""What a warm-up costs: a step of the adaptation, the contrastive loss and the votes.

In float32, not compiled: so the node adapts.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.adaptation import Adapter, Sample
from ditta_ros.bench.apart import compare
from ditta_ros.bench.models import DEFAULT_SIZE_PX, BenchModel, build, frames, sizes_px, title
from ditta_ros.bench.options import Options
from ditta_ros.bench.row import Case, Row, Tick
from ditta_ros.bench.timing import Times, interleaved, time_row
from ditta_ros.losses import MemoryBank, contrast_loss
from ditta_ros.segmenter import entropy
from ditta_ros.settings import AdaptationSettings, TargetSettings
from ditta_ros.targets import Votes

ROUNDS = 2  # of what runs in processes of its own
OBJECTS = 16
# The reference encodes a frame and the one before it, for the live and for the momentum model.
ENCODED_PER_STEP = 4


@dataclass(frozen=True)
class Scene:
    """Sizes of the contrastive loss and of the votes; features are H/4 x W/4 with ``dim``."""

    size_px: tuple[int, int]
    classes: int
    dim: int = 256
    objects: int = OBJECTS

    def __str__(self) -> str:
        height, width = self.size_px
        return f'{height}x{width} D {self.dim} C {self.classes}, {self.objects} objects'


def cases(options: Options) -> list[Case]:
    """Return one case for each model and size, and two for each size."""
    found = [
        Case(f'adaptation step {_setting(model, size_px)}',
             partial(measure_step, model, size_px, options))
        for model in options.models for size_px in sizes_px(model, options)]
    for size_px in options.sizes or (DEFAULT_SIZE_PX,):
        scene = Scene(size_px, options.classes)
        found.append(Case(f'contrastive loss {scene}', partial(measure_contrast, scene, options)))
        found.append(Case(f'votes {scene}', partial(measure_votes, scene, options)))
    return found


def measure_step(
    model: str, size_px: tuple[int, int], options: Options, tick: Tick,
) -> list[Row]:
    """Return a step over a plain forward, and what keeping the backbone's features saves."""
    tick('building')
    made = build(model, options)
    images = frames(size_px, options.device)
    adapter = Adapter(copy.deepcopy(made.segmenter.head), AdaptationSettings())
    sample = _sample(made, size_px, options.device)
    times = interleaved({
        'plain': lambda: made.plain(next(images)),
        'encode': lambda: made.segmenter.encode(next(images)),
        'step': lambda: adapter.step(sample),
    }, options.device, options.pace(), tick)
    setting = _setting(model, size_px)
    return [
        time_row(times, 'step', 'plain', name='adaptation step', setting=setting,
                 against='plain SegFormer, one frame'),
        time_row(_with_encoding(times, AdaptationSettings().passes), 'once', 'each step',
                 name='step with its share of encoding', setting=setting,
                 against=f'encoding {ENCODED_PER_STEP} images in each step', gain=True,
                 note='computed from the times of a step and of encoding'),
    ]


def measure_contrast(scene: Scene, options: Options, tick: Tick) -> list[Row]:
    """Return time, peak memory and difference of the contrastive loss and its gradient."""
    small = dataclasses.replace(scene, size_px=(64, 96))
    pair = compare(
        prepare_contrast, prepare_full_contrast, scene, small, options.device,
        min(options.repeats, ROUNDS), tick)
    fields: dict[str, Any] = {'setting': str(scene), 'against': 'features at full resolution'}
    return [
        pair.time(name='contrastive loss and gradient', gain=True, **fields),
        pair.peak(name='contrastive loss, peak memory', gain=True, **fields),
        pair.difference(name='contrastive loss, difference', bar='<= 1e-4', **fields),
    ]


def measure_votes(scene: Scene, options: Options, tick: Tick) -> list[Row]:
    """Return the time of one frame's votes, and how far the scores are apart."""
    tick('building')
    device = options.device
    label, reliability, masks = _ballots(scene, device)

    def ours() -> Tensor:
        votes = Votes(scene.classes, scene.objects, device=device)
        votes.count_frame(label)
        votes.add(label, reliability, masks)
        return votes.scores()

    def theirs() -> Tensor:
        return looped_scores(label, reliability, masks, scene.classes)

    difference = float((ours() - theirs()).abs().max())
    times = interleaved({'ours': ours, 'theirs': theirs}, device, options.pace(), tick)
    fields: dict[str, Any] = {'setting': str(scene), 'against': 'a loop over objects and classes'}
    return [
        time_row(times, 'ours', 'theirs', name='votes of one frame', gain=True, **fields),
        Row(name='votes, largest difference', ours=difference, **fields),
    ]


def prepare_contrast(scene: Scene, device: torch.device) -> Callable[[], Tensor]:
    """Make inputs for the product's contrastive loss."""
    def fresh(feature: Tensor, momentum: Tensor, scores: Tensor, object_id: Tensor) -> Tensor:
        return contrast_loss(feature, momentum, scores, object_id, MemoryBank())

    return _prepared(fresh, scene, device)


def prepare_full_contrast(scene: Scene, device: torch.device) -> Callable[[], Tensor]:
    """Make the same inputs for the definition."""
    return _prepared(full_contrast_loss, scene, device)


def full_contrast_loss(
    feature: Tensor, momentum_feature: Tensor, momentum_scores: Tensor, object_id: Tensor,
) -> Tensor:
    """Contrastive loss (Eq. 7) as it is defined, D channels on the image grid; a fresh bank."""
    size_px = (object_id.shape[0], object_id.shape[1])
    object_ids = [number for number in object_id.unique().tolist() if number > 0]
    with torch.no_grad():
        uncertainty = entropy(momentum_scores.softmax(0))
        low, high = uncertainty.aminmax()
        weight = 1 - (uncertainty - low) / (high - low)
        weighted = _large_unit(momentum_feature, size_px) * weight
        prototypes = torch.stack([
            F.normalize(weighted[:, object_id == number].sum(1), dim=0) for number in object_ids])
        del weighted
    similarity = torch.einsum('kd,dhw->khw', prototypes, _large_unit(feature, size_px))
    loss = -similarity.log_softmax(0)
    own = [loss[row][object_id == number].sum() for row, number in enumerate(object_ids)]
    return torch.stack(own).sum() / object_id.numel()


def looped_scores(
    label: Tensor, reliability: Tensor, masks: dict[int, Tensor], classes: int,
) -> Tensor:
    """Scores (Eq. 4) of one frame as they are defined: [objects + 1, C]."""
    rule = TargetSettings()
    scores = torch.zeros((max(masks) + 1, classes), device=label.device)
    rarity = [1 - (label == index).double().mean() for index in range(classes)]
    for number, mask in masks.items():
        for index in range(classes):
            both = mask & (label == index)
            pixels = both.sum()
            if pixels:
                share = pixels / mask.sum()
                scores[number, index] = (
                    reliability[both].double().mean() * share ** rule.lambda_area
                    * rarity[index] ** rule.lambda_freq)
    return scores


def _prepared(
    function: Callable[..., Tensor], scene: Scene, device: torch.device,
) -> Callable[[], Tensor]:
    """Return a function that computes the loss and its gradient: one vector of both."""
    generator = torch.Generator().manual_seed(0)
    height, width = scene.size_px
    feature, momentum = torch.randn(
        (2, scene.dim, -(-height // 4), -(-width // 4)), generator=generator).to(device)
    prob = torch.randn((scene.classes, height, width), generator=generator).softmax(0).to(device)
    object_id = _object_id(scene.size_px, scene.objects, device)
    feature.requires_grad_()

    def call() -> Tensor:
        loss = function(feature, momentum, prob, object_id)
        [gradient] = torch.autograd.grad(loss, feature)
        return torch.cat([loss.detach().view(1), gradient.flatten()])

    return call


def _large_unit(feature: Tensor, size_px: tuple[int, int]) -> Tensor:
    large = F.interpolate(
        F.normalize(feature, dim=0)[None], size_px, mode='bilinear', align_corners=False)
    return F.normalize(large[0], dim=0)  # [D, H, W]


def _sample(made: BenchModel, size_px: tuple[int, int], device: torch.device) -> Sample:
    images = frames(size_px, device)
    previous, features = (made.segmenter.encode(next(images)) for _ in range(2))
    object_id = _object_id(size_px, OBJECTS, device)
    object_label = torch.where(object_id > 0, object_id % 2, 255).to(torch.uint8)
    return Sample(features, previous, made.plain(next(images)), object_id, object_label)


def _object_id(size_px: tuple[int, int], objects: int, device: torch.device) -> Tensor:
    """Paint one rectangle per object on a grid, int16 [H, W]; half of the image has none."""
    columns = max(1, round(objects ** 0.5))
    rows = -(-objects // columns)
    height, width = size_px
    painted = torch.zeros(size_px, dtype=torch.int16, device=device)
    for number, (row, column) in enumerate(product(range(rows), range(columns)), start=1):
        top, left = row * height // rows, column * width // columns
        if number <= objects:
            painted[top:top + height // rows, left:left + width // columns // 2] = number
    return painted


def _ballots(
    scene: Scene, device: torch.device,
) -> tuple[Tensor, Tensor, dict[int, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, scene.classes, scene.size_px, generator=generator)
    reliability = torch.rand(scene.size_px, generator=generator)
    painted = _object_id(scene.size_px, scene.objects, device)
    masks = {number: painted == number for number in range(1, scene.objects + 1)}
    return label.to(torch.uint8).to(device), reliability.to(device), masks


def _with_encoding(times: Times, passes: int) -> Times:
    pairs = list(zip(times['step'], times['encode'], strict=True))
    return {
        'once': [step + encode / passes for step, encode in pairs],
        'each step': [step + ENCODED_PER_STEP * encode for step, encode in pairs]}


def _setting(model: str, size_px: tuple[int, int]) -> str:
    return f'{title(model)} {size_px[0]}x{size_px[1]} fp32 eager'
