"""The tracker's masks against those of sam2's own video predictor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from ditta_ros.cohort import input_image
from ditta_ros.demo.world import NAMES, stream
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker, build_sam2
from tracking import (
    HEIGHT,
    SAM2_CONFIGS,
    TINY,
    WIDTH,
    click,
    jaccard,
    squares,
    started,
    with_image_size,
    with_marked_time,
    with_score_bias,
)


def predicted(
    config: Path, weights: dict[str, Tensor], frames: list[Tensor], folder: Path,
    prompt_t: int, reverse: bool, point: tuple[int, int] | None = None, mask: Tensor | None = None,
) -> dict[int, Tensor]:
    """Masks by frame of sam2's own predictor, which runs over a folder of files."""
    node = OmegaConf.load(config).model
    node._target_ = f'{SAM2VideoPredictor.__module__}.{SAM2VideoPredictor.__name__}'
    node.fill_hole_area = 0
    predictor = instantiate(node).eval()
    predictor.load_state_dict(weights)
    folder.mkdir()
    for t, frame in enumerate(frames):
        Image.fromarray(frame.numpy()).save(folder / f'{t}.jpg')
    state = predictor.init_state(str(folder))
    # The very pixels that the tracker gets, not what JPEG leaves of them.
    state['images'] = torch.cat([input_image(frame, predictor.image_size) for frame in frames])
    state['cached_features'] = {}
    if point is not None:
        predictor.add_new_points_or_box(state, prompt_t, 1, points=[point], labels=[1])
    else:
        predictor.add_new_mask(state, prompt_t, 1, mask)
    return {
        t: logits[0, 0] > 0 for t, _, logits in predictor.propagate_in_video(
            state, start_frame_idx=prompt_t, reverse=reverse)}


@pytest.mark.parametrize(('model', 'prompt', 'reverse'), [
    ('tiny', 'point', False), ('tiny', 'point', True), ('tiny', 'mask', True),
    ('sam21', 'point', False), ('sam21', 'mask', True)])
def test_masks_are_those_of_sam2s_own_predictor(
    model: str, prompt: str, reverse: bool, tmp_path: Path,
) -> None:
    # SAM 2.1 tiny: three masks per prompt, 7 memories.
    config = with_image_size(*{
        'tiny': (TINY, 96), 'sam21': (SAM2_CONFIGS / 'sam2.1' / 'sam2.1_hiera_t.yaml', 128),
    }[model], tmp_path)
    torch.manual_seed(3)
    network = with_marked_time(with_score_bias(build_sam2(config, None, 'cpu'), 10.0))
    # 16 frames at least: in shorter videos the predictor scales its pointers' ages otherwise.
    frames = squares(17)
    prompt_t = len(frames) - 1 if reverse else 0
    point = (45, 65)
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[40:90, 30:80] = True
    given = {'point': point} if prompt == 'point' else {'mask': mask}
    expected = predicted(
        config, network.state_dict(), frames, tmp_path / 'frames', prompt_t, reverse, **given)

    tracker = started(network, buffer=len(frames))
    masks = {}
    for t, frame in enumerate(frames):
        tracked = tracker.track(frame)
        if t > 0 and not reverse:
            masks[t] = tracked[1]
        if t == prompt_t:
            here, backward = (
                tracker.prompt([click(1, *point)]) if prompt == 'point'
                else tracker.start_from_masks({1: mask}))
            masks[t] = here[1]
            masks |= {t - 1 - age: frame_masks[1] for age, frame_masks in enumerate(backward)}

    assert sorted(masks) == sorted(expected) == list(range(len(frames)))
    shares = [float(item.float().mean()) for item in expected.values()]
    assert 0.01 < np.median(shares) < 0.99, 'masks that are empty or full would compare nothing'
    # Not bit-equal, as the predictor keeps its memories in bfloat16; a wrong age of a memory or a
    # wrong direction gives less than 0.9995 with these weights.
    assert min(jaccard(masks[t], expected[t]) for t in masks) >= 0.9995


@pytest.mark.parametrize('reverse', [False, True])
def test_the_embedded_model_tracks_as_in_sam2s_own_predictor(
    reverse: bool, tmp_path: Path,
) -> None:
    world = list(stream(2003, 20))
    frames = [torch.from_numpy(frame.rgb) for frame in world]
    given = world[-1] if reverse else world[0]
    # The road's middle row, in its middle: an object that stays in view both ways.
    rows, columns = np.nonzero(given.semantic == NAMES.index('road'))
    point = (int(np.median(columns[rows == np.median(rows)])), int(np.median(rows)))
    tracker = Sam2Tracker.load(TrackerSettings(backward_buffer_frames=19), 'cpu')
    tracker.start((HEIGHT, WIDTH))
    weights = build_sam2(TINY, EMBEDDED_MODEL / 'model.safetensors', 'cpu').state_dict()
    prompt_t = len(frames) - 1 if reverse else 0
    expected = predicted(
        TINY, weights, frames, tmp_path / 'frames', prompt_t, reverse, point=point)

    for frame in frames[:prompt_t + 1]:
        tracker.track(frame)
    here, backward = tracker.prompt([click(1, *point)])
    masks = [here[1], *(past[1] for past in backward)]
    masks += [tracker.track(frame)[1] for frame in frames[prompt_t + 1:]]
    order = range(len(frames))[::-1] if reverse else range(len(frames))
    assert sorted(expected) == sorted(order)
    assert min(int(expected[t].sum()) for t in order) > 1000, 'nothing would be compared'
    assert min(
        jaccard(mask, expected[t]) for t, mask in zip(order, masks, strict=True)) >= 0.98
