"""The tracker's memory over a stream that does not end."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import psutil
import torch

from ditta_ros.bench.options import Options
from ditta_ros.bench.row import Case, Row, Tick
from ditta_ros.bench.sam2_files import TrackerFiles, find_all
from ditta_ros.bench.tracker import NEVER, grid_points
from ditta_ros.demo.world import SIZE_PX, stream
from ditta_ros.prompts import Prompt
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import Sam2Tracker, build_sam2

SCENE_FRAMES = 100  # frames of the demo world, shown again and again
OBJECTS, PER_PROMPT, PROMPT_EVERY_FRAMES = 4, 2, 10  # two cohorts of two
TICK_EVERY_FRAMES = 50


def cases(options: Options) -> list[Case]:
    """Return the one case.  Raises OptionError."""
    files = find_all(options)[0]
    return [Case(
        f'soak {files.title}, {options.soak_frames} frames', partial(measure, files, options))]


def measure(files: TrackerFiles, options: Options, tick: Tick) -> list[Row]:
    """Return what is held at the end over what was held after a tenth of the stream."""
    tick('building')
    torch.manual_seed(0)
    model = build_sam2(files.config, files.checkpoint, options.device)
    tracker = Sam2Tracker(model, TrackerSettings().backward_buffer_frames, NEVER)
    tracker.start(SIZE_PX)
    scene = [torch.from_numpy(frame.rgb) for frame in stream(7, SCENE_FRAMES)]
    points = grid_points(OBJECTS, SIZE_PX)
    process, tracker_mb, process_mb = psutil.Process(), [], []
    for t in range(options.soak_frames):
        tracker.track(scene[t % SCENE_FRAMES])
        begun = t // PROMPT_EVERY_FRAMES * PER_PROMPT
        if t % PROMPT_EVERY_FRAMES == 0 and begun < OBJECTS:
            started = tracker.prompt([
                Prompt(begun + index + 1, t, *points[begun + index], 0)
                for index in range(PER_PROMPT)])
            deque(started.backward, maxlen=0)  # walked to its end
        tracker_mb.append(tracker.memory_mb)
        process_mb.append(process.memory_info().rss / 1e6)
        if t % TICK_EVERY_FRAMES == 0:
            tick(f'frame {t} of {options.soak_frames}, {tracker_mb[-1]:.1f} MB')
    after = options.soak_frames // 10
    fields: dict[str, Any] = {
        'setting': f'{files.title}, {OBJECTS} objects, {options.soak_frames} frames',
        'against': f'after frame {after}', 'unit': 'MB'}
    return [
        Row(name='tracker memory at the end', ours=tracker_mb[-1], theirs=tracker_mb[after],
            bar='<= 1', **fields),
        Row(name='memory of the process at the end', ours=process_mb[-1],
            theirs=process_mb[after], **fields),
    ]
