"""How a warm-up is made to fit ``memory_budget_mb``: what is asked less of, and in which order."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from ditta_ros.memory import WarmUpMemory, head_mb, warm_up_memory
from ditta_ros.segmenter import Features, Head
from ditta_ros.settings import SettingError, Settings
from ditta_ros.tracker import MaskTracker
from ditta_ros.warm_up import KeepsPast, length_frames

_log = logging.getLogger(__name__)

LEAST_FRAMES = 2  # of a warm-up: one has no frame before it to learn from
FASTEST_HZ = 30.0  # taken for the camera's rate where a warm-up is counted in seconds
REMEDY = 'raise it, set 0 for no limit, or lower segmenter.max_side_px or warm_up.amount'

Cost = Callable[[Settings, int], WarmUpMemory]
"""What a warm-up by these settings, of so many frames, takes."""


class Plan(NamedTuple):
    """A warm-up that fits.  ``most_frames`` ends it early; None: it ends as the settings say."""

    settings: Settings
    most_frames: int | None
    memory: WarmUpMemory | None  # None: not asked for, and of unknown length


def plan_warm_up(
    settings: Settings, head: Head, features: Features, size_px: tuple[int, int],
    tracker: MaskTracker,
) -> Plan:
    """Return the warm-up that follows a first frame of ``size_px`` (H, W), and log its memory.

    ``features`` are the frame's, as they come from the backbone.  ``tracker`` is left with the
    buffer that was found.  Raises SettingError where even the least does not fit.
    """
    def cost(tried: Settings, frames: int) -> WarmUpMemory:
        kept = _kept(features, tried)
        return warm_up_memory(tried, head, kept, size_px, frames, tracker_mb(tracker, tried))

    found = fitted(settings, cost, isinstance(tracker, KeepsPast))
    if found.memory is not None:
        less = _difference(settings, found.settings, found.memory.frames)
        _log.log(logging.WARNING if less else logging.INFO, '%s%s', found.memory, less)
    return found


def fitted(settings: Settings, cost: Cost, shortens: bool) -> Plan:
    """Return the largest warm-up within the budget; ``shortens``: the buffer can be shorter.

    Raises SettingError where even the least does not fit.
    """
    budget_mb, length = settings.memory_budget_mb, length_frames(settings.warm_up)
    if not budget_mb:
        return Plan(settings, None, None if length is None else cost(settings, length))
    frames = math.ceil(settings.warm_up.amount * FASTEST_HZ) if length is None else length
    tried = settings
    for tried in smaller(settings, shortens):
        memory = cost(tried, frames)
        if memory.total_mb <= budget_mb:
            return Plan(tried, frames, memory)
    waiting_mb = memory.features_mb + memory.frames_mb
    left_mb = budget_mb - (memory.total_mb - waiting_mb)
    frames = math.floor(left_mb / waiting_mb * frames)
    if frames < LEAST_FRAMES:
        raise SettingError(
            f'memory_budget_mb must be >= {math.ceil(cost(tried, LEAST_FRAMES).total_mb)} MB for '
            f'a warm-up of {LEAST_FRAMES} such frames, got {budget_mb:g}: {REMEDY}')
    return Plan(tried, frames, cost(tried, frames))


def smaller(settings: Settings, shortens: bool) -> Iterator[Settings]:
    """Yield ``settings`` and then ever smaller ones, in the order in which less is asked for."""
    yield settings
    adaptation, tracker = settings.adaptation, settings.tracker
    if adaptation.features_dtype == 'float32':
        adaptation = dataclasses.replace(adaptation, features_dtype='float16')
        yield dataclasses.replace(settings, adaptation=adaptation)
    while shortens and tracker.backward_buffer_frames:
        tracker = dataclasses.replace(
            tracker, backward_buffer_frames=tracker.backward_buffer_frames // 2)
        yield dataclasses.replace(settings, adaptation=adaptation, tracker=tracker)
    while tracker.max_objects > 1:
        tracker = dataclasses.replace(tracker, max_objects=tracker.max_objects // 2)
        yield dataclasses.replace(settings, adaptation=adaptation, tracker=tracker)


def tracker_mb(tracker: MaskTracker, settings: Settings) -> float:
    """Give ``tracker`` the buffer that ``settings`` say; return what it may take then, in MB."""
    if isinstance(tracker, KeepsPast):
        tracker.keep_past(settings.tracker.backward_buffer_frames)
    return tracker.memory_bound_mb(settings.tracker.max_objects)


def check_budget(settings: Settings, head: Head, tracker: MaskTracker) -> None:
    """Raise SettingError where the budget is too small for a camera of any size.

    What depends on the size is asked for with the first frame, by ``plan_warm_up``.
    """
    *_, least = smaller(settings, isinstance(tracker, KeepsPast))
    parts_mb = tracker_mb(tracker, least), head_mb(head, settings.adaptation)
    tracker_mb(tracker, settings)
    together = settings.adaptation.when == 'while_warming_up'
    least_mb = sum(parts_mb) if together else max(parts_mb)
    if 0 < settings.memory_budget_mb < least_mb:
        raise SettingError(
            f'memory_budget_mb must be >= {math.ceil(least_mb)} MB for these models, whatever the '
            f"camera's size, got {settings.memory_budget_mb:g}: raise it, set 0 for no limit, or "
            'warm_up.amount 0 for no adaptation')


def _kept(features: Features, settings: Settings) -> Features:
    """Return the shapes of one frame's features as they are kept; they hold no memory."""
    dtype = getattr(torch, settings.adaptation.features_dtype)
    first, second, third, fourth = (
        torch.empty_like(stage, dtype=dtype, device='meta') for stage in features)
    return first, second, third, fourth


def _difference(wanted: Settings, found: Settings, frames: int) -> str:
    """Say what is less than it was wanted, to fit the budget; nothing where all is."""
    length = length_frames(wanted.warm_up)
    pairs = (
        ('features in', wanted.adaptation.features_dtype, found.adaptation.features_dtype),
        ('buffer frames', wanted.tracker.backward_buffer_frames,
         found.tracker.backward_buffer_frames),
        ('objects', wanted.tracker.max_objects, found.tracker.max_objects),
        ('frames', length or frames, frames))
    less = [f'{name} {after} (not {before})' for name, before, after in pairs if before != after]
    if not less:
        return ''
    return f'; to fit memory_budget_mb {wanted.memory_budget_mb:g}: {", ".join(less)}'
