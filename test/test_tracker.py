"""The tracker against sam2's own video predictor, and its promises on a stream.

Weights are random but for the last test: equality, memory and bookkeeping do not need trained ones.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sam2
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from ditta_ros.cohort import input_image
from ditta_ros.errors import ModelError
from ditta_ros.prompts import Prompt
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker, build_sam2

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


def with_score_bias(model: torch.nn.Module, bias: float) -> torch.nn.Module:
    """Make random weights find every object present (bias > 0) or absent (bias < 0)."""
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(bias)
    return model


@pytest.fixture
def tiny() -> torch.nn.Module:
    torch.manual_seed(0)
    return with_score_bias(build_sam2(TINY, None, 'cpu'), 10.0)


@pytest.fixture
def sam21_at_256_px(tmp_path: Path) -> Path:
    """The sam2 package's SAM 2.1 tiny: three masks per prompt, 7 memories."""
    config = OmegaConf.load(SAM2_CONFIGS / 'sam2.1' / 'sam2.1_hiera_t.yaml')
    config.model.image_size = 256
    OmegaConf.save(config, tmp_path / 'sam21.yaml')
    return tmp_path / 'sam21.yaml'


def started(model: torch.nn.Module, buffer: int = 0, retire: int = 1000) -> Sam2Tracker:
    tracker = Sam2Tracker(model, buffer, retire)
    tracker.start((HEIGHT, WIDTH))
    return tracker


def jaccard(first: Tensor, second: Tensor) -> float:
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 1.0


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
        # The predictor scales x by S / W and SAM 2 then adds 0.5: aim at the pixel's centre.
        size = torch.tensor([WIDTH, HEIGHT])
        centre = torch.tensor([point]) + 0.5 - 0.5 * size / predictor.image_size
        predictor.add_new_points_or_box(state, prompt_t, 1, points=centre, labels=[1])
    else:
        predictor.add_new_mask(state, prompt_t, 1, mask)
    return {
        t: logits[0, 0] > 0 for t, _, logits in predictor.propagate_in_video(
            state, start_frame_idx=prompt_t, reverse=reverse)}


@pytest.mark.parametrize('reverse', [False, True], ids=['forward', 'reverse'])
@pytest.mark.parametrize('prompt', ['point', 'mask'])
@pytest.mark.parametrize('model', ['tiny', 'sam21'])
def test_masks_are_those_of_sam2s_own_predictor(
    model: str, prompt: str, reverse: bool, tmp_path: Path, sam21_at_256_px: Path,
) -> None:
    config = TINY if model == 'tiny' else sam21_at_256_px
    torch.manual_seed(3)
    network = with_score_bias(build_sam2(config, None, 'cpu'), 10.0)
    # 16 frames at least: in shorter videos the predictor scales its pointers' ages otherwise.
    frames = squares(18)
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
            here, before = (
                tracker.prompt([click(1, *point)]) if prompt == 'point'
                else tracker.start_from_masks({1: mask}))
            masks[t] = here[1]
            masks |= {t - 1 - age: frame_masks[1] for age, frame_masks in enumerate(before)}

    assert sorted(masks) == sorted(expected) == list(range(len(frames)))
    shares = [float(item.float().mean()) for item in expected.values()]
    assert 0.01 < np.median(shares) < 0.99, 'masks that are empty or full would compare nothing'
    # Not bit-equal: the predictor keeps its memories in bfloat16.
    assert min(jaccard(masks[t], expected[t]) for t in masks) >= 0.98
