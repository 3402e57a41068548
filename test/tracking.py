"""What the tests of the tracker share: a moving scene, and models with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sam2
import torch
from omegaconf import OmegaConf
from torch import Tensor

from ditta_ros.prompts import Prompt
from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker

HEIGHT, WIDTH = 192, 256
TINY = EMBEDDED_MODEL / 'model.yaml'
SAM2_CONFIGS = Path(sam2.__file__).parent / 'configs'


def squares(count: int) -> list[Tensor]:
    """Frames uint8 [192, 256, 3]: a red and a blue square cross a textured ground."""
    ground = np.random.default_rng(0).integers(90, 130, (HEIGHT, WIDTH, 3), np.uint8)
    frames = []
    for t in range(count):
        frame = ground.copy()
        frame[40:90, 20 + 4 * t % 180:70 + 4 * t % 180] = 220, 30, 30
        frame[110:150, 200 - 3 * t % 180:240 - 3 * t % 180] = 30, 30, 220
        frames.append(torch.from_numpy(frame))
    return frames


def click(object_id: int, x_px: int, y_px: int) -> Prompt:
    return Prompt(object_id=object_id, t=0, x_px=x_px, y_px=y_px, class_id=0)


def with_score_bias(model: Any, bias: float) -> Any:
    """Make random weights find every object present (bias > 0) or absent (bias < 0)."""
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(bias)
    return model


def with_marked_time(model: Any) -> Any:
    """Make random weights heed what they remember and how old it is, as trained ones do."""
    with torch.no_grad():
        model.maskmem_tpos_enc *= 50
        model.obj_ptr_tpos_proj.weight *= 5
        for layer in model.memory_attention.layers:
            layer.cross_attn_image.k_proj.weight *= 3
            layer.cross_attn_image.out_proj.weight *= 5
    return model


def with_image_size(config: Path, size: int, folder: Path) -> Path:
    changed = OmegaConf.load(config)
    changed.model.image_size = size
    OmegaConf.save(changed, folder / f'{config.stem}_{size}.yaml')
    return folder / f'{config.stem}_{size}.yaml'


def started(model: Any, buffer: int = 0, retire: int = 1000) -> Sam2Tracker:
    tracker = Sam2Tracker(model, buffer, retire)
    tracker.start((HEIGHT, WIDTH))
    return tracker


def jaccard(first: Tensor, second: Tensor) -> float:
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0
