"""Trains the embedded SegFormer on the clean world, and rates the pool with it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from ditta_ros.colours import Colours
from ditta_ros.demo.train.parallel import Worker
from ditta_ros.demo.train.pool import Pool, open_pool
from ditta_ros.demo.train.progress import Tell
from ditta_ros.demo.world import NAMES, PALETTE
from ditta_ros.segmenter_files import COLOURS

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class SegmenterPlan:
    """How long and how fast the SegFormer learns."""

    steps: int = 1500
    frames_per_step: int = 8  # of each process
    learning_rate: float = 1.5e-3
    warm_up_steps: int = 100
    weight_decay: float = 0.02
    seed: int = 0


def build() -> SegformerForSemanticSegmentation:
    """Return the untrained network: transformers' own class, 12 classes, stride 4."""
    return SegformerForSemanticSegmentation(SegformerConfig(
        num_labels=len(NAMES), id2label=dict(enumerate(NAMES)),
        label2id={name: index for index, name in enumerate(NAMES)},
        hidden_sizes=[24, 48, 96, 128], depths=[1, 1, 2, 1], num_attention_heads=[1, 2, 4, 8],
        mlp_ratios=[3, 3, 3, 3], decoder_hidden_size=64, drop_path_rate=0.05,
        palette=PALETTE.tolist()))


def normalise(rgb: np.ndarray) -> torch.Tensor:
    """Turn float [..., H, W, 3] in 0..1 into the network's input [..., 3, H, W]."""
    tensor = torch.from_numpy((rgb - np.array(MEAN, np.float32)) / np.array(STD, np.float32))
    return tensor.movedim(-1, -3).contiguous().float()


def train(worker: Worker, plan: SegmenterPlan, pool_folder: Path, out: Path, tell: Tell) -> None:
    """Train on the pool and save with ``save_pretrained`` into ``out`` (first process only).

    ``tell(done, steps, text)`` is called after each step of the first process.
    """
    pool = open_pool(pool_folder)
    torch.manual_seed(plan.seed)
    model = build().to(worker.device).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, foreach=True)
    torch.manual_seed(plan.seed + 1 + worker.rank)  # drop paths differ between the processes
    running = None
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            group['lr'] = plan.learning_rate * min(1, (step + 1) / plan.warm_up_steps) * (
                0.5 + 0.5 * math.cos(math.pi * step / plan.steps)) + 1e-6
        pixels, labels = _batch(pool, plan, step, worker.rank)
        logits = model(pixel_values=pixels.to(worker.device)).logits  # [B, C, H/4, W/4]
        logits = F.interpolate(logits, scale_factor=2, mode='bilinear', align_corners=False)
        loss = F.cross_entropy(logits, labels.to(worker.device))
        optimiser.zero_grad()
        loss.backward()
        worker.average_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if worker.rank == 0:
            tell(step + 1, plan.steps, f'loss {running:.3f}')
    if worker.rank == 0:
        pictures = [torch.from_numpy(np.array(clip[0])) for clip in pool.rgb]
        setattr(model.config, COLOURS, dataclasses.asdict(Colours.of(pictures)))
        model.eval().save_pretrained(out)


def _batch(
    pool: Pool, plan: SegmenterPlan, step: int, rank: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng((plan.seed, rank, step))
    images, labels = [], []
    for _ in range(plan.frames_per_step):
        clip, position = rng.integers(len(pool)), rng.integers(pool.rgb.shape[1])
        rgb = pool.rgb[clip, position].astype(np.float32) / 255
        label = pool.semantic[clip, position]
        if rng.random() < 0.5:
            rgb, label = rgb[:, ::-1], label[:, ::-1]
        # Mild light and grain only: the network is to know the clean world, the shifts are what
        # adaptation is for.
        rgb = np.clip(rgb * np.float32(rng.uniform(0.92, 1.08)), 0, 1)
        images.append(rgb + rng.standard_normal(rgb.shape, dtype=np.float32) * np.float32(0.01))
        labels.append(label[::2, ::2])
    return normalise(np.stack(images)), torch.from_numpy(np.stack(labels)).long()


@torch.inference_mode()
def rate_pool(worker: Worker, model_folder: Path, pool_folder: Path, tell: Tell) -> None:
    """Fill ``pool.reliability``: Eq. 2 where the SegFormer names the true class, else 0.

    The tracker is trained on clicks where DiTTA will click, on the surest pixel of a class.
    """
    pool = open_pool(pool_folder, 'r+')
    model = SegformerForSemanticSegmentation.from_pretrained(model_folder).to(worker.device).eval()
    for clip in range(worker.rank, len(pool), worker.world_size):
        pixels = normalise(pool.rgb[clip].astype(np.float32) / 255).to(worker.device)
        logits = F.interpolate(model(pixel_values=pixels).logits, pixels.shape[-2:],
                               mode='bilinear', align_corners=False)
        log_prob = logits.log_softmax(1)
        entropy = -(log_prob.exp() * log_prob).sum(1)  # [T, H, W]
        sure = 1 - entropy / entropy.amax((1, 2), keepdim=True).clamp(min=1e-9)
        right = logits.argmax(1).cpu().numpy() == pool.semantic[clip]
        pool.reliability[clip] = right * (254 * sure.cpu().numpy() + 1)
        if worker.rank == 0:
            tell(clip + 1, len(pool), '')
