"""The engine over streams that do not end, and the memory that the process has meanwhile."""

from __future__ import annotations

import ctypes
import gc
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np
import psutil
import torch

from ditta_ros.demo.world import stream
from ditta_ros.frame import Frame
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, Session
from ditta_ros.settings import AdaptationSettings, Settings, TrackerSettings, WarmUpSettings
from ditta_ros.soak.tick import Tick
from ditta_ros.tracker import Sam2Tracker

SIDES_PX = (64, 96)  # (H, W): the smaller, the more frames in an hour
SCENE_FRAMES = 50  # of the demo world, shown again and again
PERIOD_NS = 100_000_000
WARM_UP_FRAMES = 3
ROUND = 2  # warm-ups: one begins with the frozen segmenter, the next with what that has learnt
TRACKER_SIDE_PX = 96
SAMPLES = 400  # of memory in a series, about
SETTINGS = Settings(
    warm_up=WarmUpSettings(amount=float(WARM_UP_FRAMES)),
    adaptation=AdaptationSettings(passes=1, held_out_percent=0.0),  # what has learnt is used
    tracker=TrackerSettings(
        image_size_px=TRACKER_SIDE_PX, max_objects=4, backward_buffer_frames=WARM_UP_FRAMES))


class EndedError(RuntimeError):
    """A stream did not go on as it must; the message says what came."""


@dataclass(frozen=True)
class Series:
    """Resident memory of this process, in MB (1e6 bytes), after so many units."""

    what: str  # the units: 'frames' or 'warm-ups'
    units: list[int]
    memory_mb: list[float]


class Sampler:
    """Takes a series, in room that is there from the start: it would see itself grow."""

    def __init__(self, what: str, most: int) -> None:
        """``most`` samples fit."""
        self.what = what
        self.last_mb = 0.0
        self._taken = 0
        self._units, self._memory_mb = np.full((2, most), -1.0)  # touched, hence resident
        self._process = psutil.Process()

    def sample(self, unit: int) -> None:
        """Add the memory of now, without what is free and the allocator only keeps."""
        gc.collect()
        trim()
        self.last_mb = self._process.memory_info().rss / 1e6
        self._units[self._taken], self._memory_mb[self._taken] = unit, self.last_mb
        self._taken += 1

    def series(self) -> Series:
        """Return what was taken."""
        units, memory_mb = (each[:self._taken] for each in (self._units, self._memory_mb))
        return Series(self.what, units.astype(int).tolist(), memory_mb.tolist())


def trim() -> None:
    """Give pages that nothing uses back to the system, where the allocator is glibc's.

    It keeps some, by chance more of them now and then, which looks like a slow leak.
    """
    give_back = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if give_back is not None:
        give_back(0)


class Streamed(NamedTuple):
    """What came of a stream: its memory, and how many of the frames fed were not labelled."""

    memory: Series
    fed: int
    lost: int


class Camera:
    """Small frames of the demo world, again and again, each with a later stamp."""

    def __init__(self) -> None:
        height, width = SIDES_PX
        pictures = [picture.rgb for picture in stream(7, SCENE_FRAMES)]
        rows, columns = (
            torch.linspace(0, size - 1, side).round().long()
            for size, side in zip(pictures[0].shape[:2], (height, width), strict=True))
        self._pictures = [torch.from_numpy(rgb)[rows][:, columns] for rgb in pictures]
        self._numbers = count()

    def next(self) -> Frame:
        """Return the next frame."""
        number = next(self._numbers)
        return Frame(
            number * PERIOD_NS, 'camera', self._pictures[number % SCENE_FRAMES].contiguous())


def open_session() -> Session:
    """Open a session on the embedded models."""
    tracker = Sam2Tracker.load(SETTINGS.tracker, 'cpu')
    return Session(SETTINGS, Segmenter.load(''), tracker)


def label_for_long(frames: int, tick: Tick) -> Streamed:
    """Label so many frames with the model that one warm-up made, frozen."""
    session, camera = open_session(), Camera()
    _warm_up(session, camera)
    every, lost = max(frames // SAMPLES, 1), 0
    memory = Sampler('frames', frames // every)
    for number in range(1, frames + 1):
        lost += _lost(session, camera.next())
        if number % every == 0:
            memory.sample(number)
            tick(f'frame {number} of {frames}, {memory.last_mb:.1f} MB')
    session.close()
    return Streamed(memory.series(), frames, lost)


def warm_up_often(warm_ups: int, tick: Tick) -> Streamed:
    """Warm up and learn so many times, from the frozen segmenter and from what was learnt in turn.

    Memory is taken after each second one: what a session holds differs between the two, and
    samples that go up and down in turn would hide how much each resembles the last of its kind,
    of which the slope's error is told.
    """
    session, camera = open_session(), Camera()
    memory, lost, fed = Sampler('warm-ups', warm_ups // ROUND), 0, 0
    for number in range(1, warm_ups + 1):
        lost += _warm_up(session, camera)
        fed += WARM_UP_FRAMES
        if number % ROUND:
            session.start_warm_up()
            continue
        memory.sample(number)
        tick(f'warm-up {number} of {warm_ups}, {memory.last_mb:.1f} MB')
        session.reset()
    session.close()
    return Streamed(memory.series(), fed, lost)


def _warm_up(session: Session, camera: Camera) -> int:
    """Walk through one warm-up to its end; return how many frames were not labelled."""
    lost = 0
    for _ in range(WARM_UP_FRAMES):
        lost += _lost(session, camera.next())
        while session.work():
            pass
    session.end_of_stream()
    while session.work():
        pass
    status = session.status()
    if session.phase is not Phase.FROZEN or status['abandoned'] or not status['promoted']:
        raise EndedError(
            f'a warm-up of {WARM_UP_FRAMES} frames must end with a model that has learnt, got '
            f'{status["why"]}')
    return lost


def _lost(session: Session, frame: Frame) -> bool:
    """Label a frame; return whether it got no label of its size and stamp."""
    made = session.feed(frame)
    return tuple(made.label.shape) != frame.size_px or made.stamp_ns != frame.stamp_ns
