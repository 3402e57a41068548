"""The tracker's training: its loss on hand-made masks, and that steps are reproducible."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ditta_ros.demo.train.parallel import Worker
from ditta_ros.demo.train.pool import render
from ditta_ros.demo.train.tracker import Stage, TrackerPlan, track_loss, train
from ditta_ros.tracker import EMBEDDED_MODEL

SIZE_PX = 32


def output(logits: torch.Tensor, score: float) -> dict[str, torch.Tensor]:
    """One object's output as sam2 gives it, at a quarter of the input size."""
    return {'pred_masks': logits[None, None], 'object_score_logits': torch.tensor([[score]])}


def half() -> tuple[torch.Tensor, torch.Tensor]:
    """A mask of the left half, bool [1, 1, S, S], and logits that say so [S/4, S/4]."""
    mask = torch.zeros(1, 1, SIZE_PX, SIZE_PX, dtype=torch.bool)
    mask[..., :SIZE_PX // 2] = True
    logits = torch.full((SIZE_PX // 4, SIZE_PX // 4), -20.0)
    logits[:, :SIZE_PX // 8] = 20.0
    return mask, logits


def test_the_loss_orders_answers_from_right_to_wrong() -> None:
    mask, right = half()
    losses = [track_loss([output(logits, 10.0)], mask, False).item()
              for logits in (right, right / 40, torch.zeros_like(right), -right)]
    assert losses == sorted(losses)
    assert losses[0] < 0.15  # the soft edge of the upsampled logits remains
    assert losses[-1] > 5


def test_an_absent_object_is_scored_by_its_presence_alone() -> None:
    mask, logits = half()
    nothing = torch.zeros_like(mask)
    absent = track_loss([output(logits, -10.0)], nothing, False).item()
    assert absent == pytest.approx(4.54e-5, rel=0.01)  # log(1 + exp(-10))
    assert track_loss([output(logits, 10.0)], nothing, False).item() == pytest.approx(10, rel=0.01)


def test_a_mask_prompt_is_not_scored_on_its_own_frame() -> None:
    mask, logits = half()
    masks = mask.expand(1, 2, -1, -1)
    outputs = [output(-logits, -10.0), output(logits, 10.0)]
    alone = track_loss([output(logits, 10.0)], mask, False)
    assert track_loss(outputs, masks, True).item() == pytest.approx(alone.item())


def test_training_is_reproducible_and_learns_what_it_saves(tmp_path: Path) -> None:
    render(tmp_path / 'pool', 1, 1, lambda done: None)
    plan = TrackerPlan(
        image_size_px=96, learning_rate=1e-3, dense_help=(1.0, 0.3),
        warm_up_steps=1, stages=(Stage(1, 1, 1, 2, 0.0), Stage(2, 1, 2, 2, 1.0)))
    config = EMBEDDED_MODEL / 'model.yaml'
    told: list[int] = []
    for name in ('one', 'two'):
        train(Worker(0, 1), plan, config, None, tmp_path / 'pool',
              tmp_path / f'{name}.safetensors', lambda done, steps, text: told.append(done))
    one, two = (load_file(tmp_path / f'{name}.safetensors') for name in ('one', 'two'))
    assert told[-1] == 3
    assert all(one[key].equal(two[key]) for key in one)
    assert all(value.dtype == torch.float16 for value in one.values())
