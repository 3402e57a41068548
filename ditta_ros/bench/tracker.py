"""16 objects against one, and the tracker against sam2's own video predictor."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from ditta_ros.bench.options import Options, precision
from ditta_ros.bench.row import Case, Row, Tick
from ditta_ros.bench.sam2_files import TrackerFiles, find_all
from ditta_ros.bench.timing import Pace, Times, interleaved, time_row
from ditta_ros.cohort import input_image
from ditta_ros.demo.world import SIZE_PX, stream
from ditta_ros.prompts import Prompt
from ditta_ros.tracker import Sam2Tracker, build_sam2

MANY = 16
NEVER = 10 ** 9  # frames until a cohort retires: the number of objects must not change here
FRAMES_TO_FILL = 8  # SAM 2 has 7 memories at most; its pointers, to 16, are small
ROUNDS_PER_REPEAT = 4  # a round is one frame
# Named, not imported: one module of the package imports sam2.
PREDICTOR = 'sam2.sam2_video_predictor.SAM2VideoPredictor'

Point = tuple[int, int]


@dataclass(eq=False)
class Tracked:
    """One tracker on one stream: ``step`` tracks the next frame, ``masks`` are what it gave."""

    step: Callable[[], None]
    masks: list[Tensor]  # bool [N, H, W], one per tracked frame


def cases(options: Options) -> list[Case]:
    """Return one case for each SAM 2 and precision.  Raises OptionError."""
    return [
        Case(f'tracker {files.title} {dtype}', partial(measure, files, dtype, options))
        for files in find_all(options) for dtype in options.dtypes]


def measure(files: TrackerFiles, dtype: str, options: Options, tick: Tick) -> list[Row]:
    """Return the time of a frame, with one object and with 16, and how far the masks agree."""
    tick('building')
    device, rounds = options.device, ROUNDS_PER_REPEAT * options.repeats
    torch.manual_seed(0)
    model: Any = build_sam2(files.config, files.checkpoint, device)
    rivals = _predictor(files.config, model)
    frames = [
        torch.from_numpy(frame.rgb).to(device)
        for frame in stream(7, 1 + FRAMES_TO_FILL + rounds)]
    with torch.no_grad(), precision(dtype, device):
        runs = {}
        for count in (1, MANY):
            points = grid_points(count, SIZE_PX)
            runs[f'ours {count}'] = ours(model, frames, points)
            runs[f'theirs {count}'] = theirs(rivals, frames, points)
        pace = Pace(rounds, options.budget_s, FRAMES_TO_FILL, least_s=0)
        times = interleaved({name: run.step for name, run in runs.items()}, device, pace, tick)
    agreement = mean_jaccard(runs[f'ours {MANY}'].masks, runs[f'theirs {MANY}'].masks)
    setting = f'{files.title} {model.image_size} px {dtype} eager'
    promised = not options.tracker_config or device.type == 'cuda'
    fields: dict[str, Any] = {'setting': setting, 'against': "sam2's video predictor"}
    return [
        time_row(times, 'ours 1', 'theirs 1', name='tracking 1 object', **fields),
        time_row(
            times, f'ours {MANY}', f'theirs {MANY}', name=f'tracking {MANY} objects', **fields),
        Row(name=f'{MANY} objects over 1', ours=_growth(times, 'ours'),
            theirs=_growth(times, 'theirs'), unit='times', bar='<= 4' if promised else '',
            bar_on='ours', **fields),
        Row(name=f'masks alike, mean J of {MANY} objects', ours=agreement,
            bar='>= 0.98' if files.checkpoint else '', bar_on='ours',
            note='' if files.checkpoint else 'random weights', **fields),
    ]


def ours(model: Any, frames: Sequence[Tensor], points: Sequence[Point]) -> Tracked:
    """Prompt on the first frame; each step tracks one more."""
    tracker = Sam2Tracker(model, 0, NEVER)
    tracker.start((frames[0].shape[0], frames[0].shape[1]))
    tracker.track(frames[0])
    tracker.prompt([
        Prompt(number, 0, x_px, y_px, 0) for number, (x_px, y_px) in enumerate(points, start=1)])
    coming, masks = iter(frames[1:]), []

    def step() -> None:
        masks.append(torch.stack(list(tracker.track(next(coming)).values())))

    return Tracked(step, masks)


def theirs(predictor: Any, frames: Sequence[Tensor], points: Sequence[Point]) -> Tracked:
    """Do the same with sam2's predictor, which wants a whole video from files."""
    with redirect_stderr(io.StringIO()):  # its bars of progress, between ours
        state = _state(predictor, frames)
        for number, point in enumerate(points, start=1):
            predictor.add_new_points_or_box(state, 0, number, points=[point], labels=[1])
        coming = predictor.propagate_in_video(state)
        next(coming)  # the prompted frame
    masks: list[Tensor] = []

    def step() -> None:
        _, _, logits = next(coming)
        masks.append(logits[:, 0] > 0)

    return Tracked(step, masks)


def grid_points(count: int, size_px: tuple[int, int]) -> list[Point]:
    """Return ``count`` (a square number) pixels x, y on a regular grid."""
    height, width = size_px
    side = round(count ** 0.5)
    return [
        ((2 * column + 1) * width // (2 * side), (2 * row + 1) * height // (2 * side))
        for row in range(side) for column in range(side)]


def mean_jaccard(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Return the mean J of masks [N, H, W] over frames and objects; two empty ones are alike."""
    one, other = torch.stack(list(first)), torch.stack(list(second))  # [T, N, H, W]
    union = (one | other).sum((2, 3))
    return float(torch.where(union > 0, (one & other).sum((2, 3)) / union, 1.0).mean())


def _growth(times: Times, whose: str) -> float:
    return median(times[f'{whose} {MANY}']) / median(times[f'{whose} 1'])


def _predictor(config: Path, model: Any) -> Any:
    """Build sam2's predictor with the weights of ``model``, which its yaml has been checked by."""
    node: Any = OmegaConf.load(config).model
    node._target_ = PREDICTOR
    node.fill_hole_area = 0  # its compiled extension, which is optional
    predictor = instantiate(node)
    predictor.load_state_dict(model.state_dict())
    return predictor.to(model.device).eval()


def _state(predictor: Any, frames: Sequence[Tensor]) -> Any:
    """Start a video in the predictor; it sees the very pixels, not what JPEG leaves of them."""
    with TemporaryDirectory() as folder:
        for t, frame in enumerate(frames):
            cv2.imwrite(f'{folder}/{t}.jpg', frame.cpu().numpy())
        state = predictor.init_state(folder)
    state['images'] = torch.cat([input_image(frame, predictor.image_size) for frame in frames])
    state['cached_features'] = {}
    return state
