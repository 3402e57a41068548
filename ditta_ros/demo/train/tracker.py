"""Trains the embedded SAM 2: first clicks on single frames, then tracks through memory.

The rollout calls the very functions that the tracker calls on a stream, in evaluation mode, so
what is trained is what runs.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from ditta_ros.demo.train.clips import Batch, draw_batch
from ditta_ros.demo.train.parallel import Worker
from ditta_ros.demo.train.pool import open_pool
from ditta_ros.demo.train.progress import Tell
from ditta_ros.demo.world import NAMES
from ditta_ros.tracker import build_sam2

# Frame numbers run on to here for sam2, which scales the age of object pointers by min(this, 16).
_NUM_FRAMES = 1000


@dataclass(frozen=True)
class Stage:
    """Some steps with clips of one length; the counts are those of each process."""

    steps: int
    clips: int
    frames: int
    objects: int
    mask_share: float  # of the steps, prompted by a true mask instead of a click
    by_class: bool = False  # all classes are equally likely to be prompted
    min_area_share: float = 0.0025  # of the image: smaller objects are not asked for


@dataclass(frozen=True)
class TrackerPlan:
    """How long and how fast the tracker learns in one run of the learning rate from high to low.

    ``image_size_px`` is the side of the input; ``dense_help`` is the weight of :class:`DenseHelp`
    on single frames, and on clips.
    """

    image_size_px: int
    stages: tuple[Stage, ...]
    learning_rate: float
    dense_help: tuple[float, float]
    last_learning_rate: float = 1e-5
    warm_up_steps: int = 150
    weight_decay: float = 0.05
    ema_decay: float = 0.998
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of all stages, over which the learning rate falls."""
        return sum(stage.steps for stage in self.stages)


# Each run begins with the weights that the one before has saved.  What a track needs is learned
# on small images, at half the cost; thin objects need the larger ones.
PLANS = (
    TrackerPlan(
        image_size_px=192, learning_rate=1e-3, dense_help=(1.0, 0.3),
        stages=(
            Stage(steps=2500, clips=5, frames=1, objects=6, mask_share=0.0),
            Stage(steps=900, clips=3, frames=4, objects=4, mask_share=0.3))),
    TrackerPlan(
        image_size_px=384, learning_rate=5e-4, dense_help=(0.0, 0.0),
        warm_up_steps=50, ema_decay=0.997, seed=1,
        stages=(
            Stage(steps=1100, clips=3, frames=1, objects=8, mask_share=0.0, by_class=True,
                  min_area_share=0.001),
            Stage(steps=650, clips=2, frames=4, objects=4, mask_share=0.4, by_class=True,
                  min_area_share=0.001))),
    # The size that the tracker works at.
    TrackerPlan(
        image_size_px=448, learning_rate=2.5e-4, dense_help=(0.0, 0.0),
        warm_up_steps=30, ema_decay=0.99, seed=2,
        stages=(
            Stage(steps=260, clips=3, frames=1, objects=8, mask_share=0.0, by_class=True,
                  min_area_share=0.001),
            Stage(steps=280, clips=2, frames=4, objects=4, mask_share=0.5, by_class=True,
                  min_area_share=0.001))),
)


class DenseHelp(nn.Module):
    """A head used in training only: classes, and which pixels belong to the clicked object.

    Without it the mask loss stays on a plateau for long: nothing tells the encoder what an
    object is until the mask decoder has learned to look at the click.
    """

    def __init__(self, hidden_dim: int) -> None:
        super().__init__()
        self.level = nn.ModuleList(
            nn.Conv2d(channels, 64, 1) for channels in (hidden_dim // 8, hidden_dim // 4,
                                                        hidden_dim))
        self.classes = nn.Conv2d(64, len(NAMES), 1)
        self.embedding = nn.Conv2d(64, 16, 1)
        self.radius = nn.Parameter(torch.tensor(2.0))

    def forward(self, pyramid: list[torch.Tensor], batch: Batch) -> torch.Tensor:
        """Return the loss; ``pyramid`` is sam2's ``backbone_fpn`` (strides 4, 8, 16)."""
        fine, middle, coarse = (layer(x) for layer, x in zip(self.level, pyramid, strict=True))
        feature = fine + F.interpolate(middle, scale_factor=2, mode='bilinear')
        feature = F.gelu(feature + F.interpolate(coarse, scale_factor=4, mode='bilinear'))
        loss = F.cross_entropy(self.classes(feature), batch.semantic)
        embedding = self.embedding(feature)[batch.clip * batch.frames]  # [N, 16, S/4, S/4]
        side = embedding.shape[-1]
        at = (batch.click / batch.masks.shape[-1] * side).long().clamp(0, side - 1)
        query = embedding[torch.arange(len(at)), :, at[:, 1], at[:, 0]]
        logits = self.radius - (embedding - query[:, :, None, None]).pow(2).sum(1)
        truth = F.adaptive_avg_pool2d(batch.masks[:, :1].float(), side)[:, 0]
        return (loss + F.binary_cross_entropy_with_logits(logits, truth)
                + 0.5 * _dice_loss(logits.sigmoid(), truth).mean())


def rollout(model: Any, batch: Batch, use_mask: bool, gap: int = 0) -> tuple[list[Any], list[Any]]:
    """Track all objects of a batch; frame 1 is numbered ``gap`` frames later than it is.

    Returns the outputs per frame and the image pyramid.  The gap lets short clips show the
    memory what an old conditioning frame looks like.
    """
    encoded = model.forward_image(batch.pixels)
    pyramid = encoded['backbone_fpn']
    _, features, positions, sizes = model._prepare_backbone_features(encoded)
    memory: dict[str, dict[int, Any]] = {'cond_frame_outputs': {}, 'non_cond_frame_outputs': {}}
    outputs = []
    for position in range(batch.frames):
        rows = batch.clip * batch.frames + position
        number = position + (gap if position else 0)
        # sam2 adds half a pixel to every click.
        points = {'point_coords': batch.click[:, None] - 0.5,
                  'point_labels': torch.ones(len(rows), 1, dtype=torch.int32,
                                             device=batch.click.device)}
        out = model.track_step(
            frame_idx=number, is_init_cond_frame=position == 0,
            current_vision_feats=[x[:, rows] for x in features],
            current_vision_pos_embeds=[x[:, rows] for x in positions], feat_sizes=sizes,
            point_inputs=None if position or use_mask else points,
            mask_inputs=batch.masks[:, :1].float() if use_mask and not position else None,
            output_dict=memory, num_frames=_NUM_FRAMES,
            run_mem_encoder=position + 1 < batch.frames)
        memory['non_cond_frame_outputs' if position else 'cond_frame_outputs'][number] = out
        outputs.append(out)
    return outputs, pyramid


def track_loss(outputs: list[Any], masks: torch.Tensor, skip_first: bool) -> torch.Tensor:
    """Focal + binary cross entropy + dice of each frame's mask, and of the object's presence."""
    side = masks.shape[-1] // 2
    total = torch.zeros((), device=masks.device)
    for position, out in enumerate(outputs):
        if skip_first and position == 0:
            continue  # the mask prompt is the output itself
        truth = F.adaptive_avg_pool2d(masks[:, position:position + 1].float(), side)
        present = masks[:, position].flatten(1).any(1).float()
        logits = F.interpolate(out['pred_masks'], (side, side), mode='bilinear').clamp(-40, 40)
        prob = logits.sigmoid()
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction='none')
        wrong = 1 - (prob * truth + (1 - prob) * (1 - truth))
        loss = (entropy * (1 + 4 * wrong ** 2)).mean((1, 2, 3)) + _dice_loss(prob, truth)[:, 0]
        total = total + (loss * present).mean() + F.binary_cross_entropy_with_logits(
            out['object_score_logits'][:, 0], present)
    return total / (len(outputs) - int(skip_first))


def _dice_loss(prob: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    both = (prob * truth).sum((-2, -1))
    return 1 - (2 * both + 1) / (prob.sum((-2, -1)) + truth.sum((-2, -1)) + 1)


def prepare(model: Any) -> None:
    """Initial values from which the mask decoder learns soon rather than after hours.

    The token-image attentions begin as a match of positions (q_proj = k_proj, orthogonal), and
    objects are taken to be present: sam2 blanks the mask, and with it the gradient, of an object
    that it believes absent.
    """
    transformer = model.sam_mask_decoder.transformer
    attentions = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        attentions += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    with torch.no_grad():
        for attention in attentions:
            nn.init.orthogonal_(attention.q_proj.weight, 2.0)
            attention.k_proj.weight.copy_(attention.q_proj.weight)
            attention.q_proj.bias.zero_()
            attention.k_proj.bias.zero_()
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)


def train(
    worker: Worker, plan: TrackerPlan, config: Path, start: Path | None, pool_folder: Path,
    out: Path, tell: Tell,
) -> None:
    """Train the model of ``config`` on the pool and save its mean weights as fp16 to ``out``.

    It begins with the weights in the file ``start``; None: from scratch.
    """
    pool = open_pool(pool_folder)
    torch.manual_seed(plan.seed)
    model = build_sam2(config, start, worker.device, plan.image_size_px).requires_grad_(True)
    if start is None:
        prepare(model)
    aid = DenseHelp(model.hidden_dim).to(worker.device)
    mean = copy.deepcopy(model)
    learned = [*model.parameters(), *aid.parameters()]
    optimiser = torch.optim.AdamW(
        [{'params': [p for p in learned if p.ndim > 1], 'weight_decay': plan.weight_decay},
         {'params': [p for p in learned if p.ndim <= 1], 'weight_decay': 0.0}],
        lr=plan.learning_rate, betas=(0.9, 0.98), foreach=True)
    step, recent = 0, None
    for number, stage in enumerate(plan.stages):
        for _ in range(stage.steps):
            rng = np.random.default_rng((plan.seed, worker.rank, step))
            _set_rate(optimiser, plan, step)
            batch = draw_batch(pool, rng, stage.clips, stage.frames, stage.objects,
                               model.image_size, stage.by_class,
                               stage.min_area_share).to(worker.device)
            # Drawn from the step alone: all processes must do equal work, or one waits.
            shared = np.random.default_rng((plan.seed, step))
            use_mask = shared.random() < stage.mask_share
            gap = int(shared.integers(16)) if shared.random() < 0.4 else 0
            outputs, pyramid = rollout(model, batch, use_mask, gap)
            loss = track_loss(outputs, batch.masks, skip_first=use_mask)
            help_weight = plan.dense_help[stage.frames > 1]
            optimiser.zero_grad()
            (loss + help_weight * aid(pyramid, batch) if help_weight else loss).backward()
            worker.average_gradients(learned)
            norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            if torch.isfinite(norm):
                optimiser.step()
            _follow(mean, model, min(plan.ema_decay, (step + 1) / (step + 20)))
            step += 1
            recent = loss.item() if recent is None else 0.98 * recent + 0.02 * loss.item()
            if worker.rank == 0:
                tell(step, plan.steps, f'stage {number + 1}, loss {recent:.3f}')
        if worker.rank == 0:
            _save(mean, out)
            tell(step, plan.steps, f'stage {number + 1} done, loss {recent:.3f}')


def _set_rate(optimiser: torch.optim.Optimizer, plan: TrackerPlan, step: int) -> None:
    """Linear rise, then half a cosine down to the last learning rate."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / plan.steps)
    rate = plan.last_learning_rate + (plan.learning_rate - plan.last_learning_rate) * cosine
    for group in optimiser.param_groups:
        group['lr'] = rate * min(1, (step + 1) / plan.warm_up_steps)


@torch.no_grad()
def _follow(mean: nn.Module, model: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(mean.parameters()), list(model.parameters()), 1 - decay)


def _save(model: nn.Module, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    half = {name: value.half() if value.is_floating_point() else value
            for name, value in model.state_dict().items()}
    save_file({name: value.contiguous() for name, value in half.items()}, out)
