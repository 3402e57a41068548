"""One stream of the bed: the plain model, the ceiling and every variant, after every warm-up.

What these have in common is computed once: pictures, backbone features, the plain model's labels,
and of the tracking whatever variants and warm-ups ask alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ditta_ros.device import choose_device
from ditta_ros.evaluation.baselines import Method, TrueFrame, open_method
from ditta_ros.evaluation.bed.branching import BranchingTracker
from ditta_ros.evaluation.bed.candidates import Candidate, measure_candidate
from ditta_ros.evaluation.bed.encoding import EncodingOnce
from ditta_ros.evaluation.bed.reached import Meter, Reached
from ditta_ros.evaluation.bed.streams import Stream
from ditta_ros.evaluation.bed.targets import Targets, Taught, measure_targets
from ditta_ros.evaluation.sources import open_source
from ditta_ros.labeller import IssLabeller
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import SettingError, Settings, TrackerSettings, from_flat
from ditta_ros.tracker import Sam2Tracker
from ditta_ros.warm_up import length_frames


@dataclass(frozen=True)
class Job:
    """One stream; parameters of every variant by name, and those of the ceiling.

    Where ``with_ceiling`` is not set, the ceilings are known from elsewhere.  ``with_signals``
    records what the guard might go by, of every variant that holds frames out for it.
    """

    stream: Stream
    warm_ups_percent: tuple[float, ...]
    variants: Mapping[str, Mapping[str, Any]]
    ceiling: Mapping[str, Any]
    with_ceiling: bool = True
    with_signals: bool = False


@dataclass(frozen=True)
class Adapted:
    """What a variant reached, how right its targets were, and its session's last status.

    ``candidate``: what its head is before the guard has judged; None: not measured.
    """

    reached: Reached
    targets: Targets
    status: Mapping[str, Any]
    candidate: Candidate | None = None


@dataclass(frozen=True)
class Cell:
    """One stream after one warm-up, on the frames that follow it.

    ``ceiling``: DiTTA's head taught the warm-up's true labels; None: not measured.
    """

    stream: Stream
    warm_up_percent: float
    iss: Reached
    ceiling: Reached | None
    adapted: Mapping[str, Adapted]


def run(job: Job) -> list[Cell]:
    """Measure one stream; raises SourceError, SettingError, ModelError."""
    walks = {(name, percent): _settings(values, percent, job.stream)
             for name, values in job.variants.items() for percent in job.warm_ups_percent}
    ceilings = {percent: _settings(job.ceiling, percent, job.stream)
                for percent in job.warm_ups_percent}
    first = next(iter(walks.values()))
    for settings in (*walks.values(), *ceilings.values()):
        if _shared(settings) != _shared(first):
            raise SettingError(
                'variants of the bed share segmenter.* and adaptation.seed, as a stream is '
                'encoded once: leave these to the bed')
    bench = _Bench(job.stream, first)
    iss = bench.plain([length_frames(each.warm_up) or 0 for each in ceilings.values()])
    adapted = {walk: bench.adapted(settings, job.with_signals) for walk, settings in walks.items()}
    return [
        Cell(job.stream, percent, plain,
             bench.ceiling(ceilings[percent]) if job.with_ceiling else None,
             {name: adapted[name, percent] for name in job.variants})
        for percent, plain in zip(job.warm_ups_percent, iss, strict=True)]


def _settings(values: Mapping[str, Any], percent: float, stream: Stream) -> Settings:
    return from_flat({**values, 'warm_up.unit': 'percent', 'warm_up.amount': percent,
                      'warm_up.stream_length_frames': stream.frames})


def _shared(settings: Settings) -> tuple[Any, ...]:
    return settings.segmenter, settings.adaptation.seed


class _Bench:
    """A stream with its models: everything on it is measured with these."""

    def __init__(self, stream: Stream, first: Settings) -> None:
        """``first``: settings of any variant."""
        self._first = first
        device = choose_device(first.segmenter.device)
        self._segmenter = EncodingOnce.around(
            Segmenter.open(first.segmenter, device, first.adaptation.seed))
        self._frames = [TrueFrame.of(frame, device) for frame in open_source(stream.spec)]
        self._trackers: dict[TrackerSettings, BranchingTracker] = {}
        # As the networks see them; and what the plain model says of those of a warm-up.
        self._seen: list[TrueFrame] = []
        self._taught: list[Taught] = []

    def plain(self, warm_ups_frames: Sequence[int]) -> list[Reached]:
        """Return what the plain model reaches after each of the warm-ups."""
        off = dataclasses.replace(self._first.warm_up, unit='frames', amount=0.0)
        session = Session(
            dataclasses.replace(self._first, warm_up=off), self._segmenter, None)
        meters = [self._meter() for _ in warm_ups_frames]
        for index, (truth, label) in enumerate(self._walk(session)):
            for meter, warm_up_frames in zip(meters, warm_ups_frames, strict=True):
                if index >= warm_up_frames:
                    meter.add(truth.numpy(), label.numpy())
        return [meter.reached() for meter in meters]

    def ceiling(self, settings: Settings) -> Reached:
        """Return what the head reaches that was taught the warm-up's true labels."""
        return self._after_warm_up(
            open_method('true_labels', settings, self._segmenter), settings)

    def adapted(self, settings: Settings, with_signals: bool) -> Adapted:
        """Return what a session by ``settings`` reaches and says, its targets and candidate."""
        if settings.tracker not in self._trackers:
            self._trackers[settings.tracker] = BranchingTracker(
                Sam2Tracker.load(settings.tracker, self._segmenter.device))
        tracker = self._trackers[settings.tracker]
        self._teach(settings)
        targets = measure_targets(settings, self._segmenter, tracker, self._seen, self._taught)
        candidate = None
        if with_signals:
            seen = [self._as_seen(frame, settings) for frame in self._frames]
            candidate = measure_candidate(settings, self._segmenter, tracker, seen, self._taught)
        session = Session(settings, self._segmenter, tracker)
        reached = self._after_warm_up(session, settings)
        return Adapted(reached, targets, session.status(), candidate)

    def _after_warm_up(self, method: Method, settings: Settings) -> Reached:
        meter, warm_up_frames = self._meter(), length_frames(settings.warm_up) or 0
        for index, (truth, label) in enumerate(self._walk(method)):
            if index >= warm_up_frames:
                meter.add(truth.numpy(), label.numpy())
        return meter.reached()

    def _meter(self) -> Meter:
        return Meter(self._segmenter.label_set.names)

    def _walk(self, method: Method) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield truth and label [H, W] of every frame, all work done between two of them."""
        for frame in self._frames:
            assert frame.truth is not None  # the bed's sources have truth of every frame
            yield frame.truth.cpu(), method.feed(frame).label.cpu()
            while method.work():
                pass

    @torch.no_grad()
    def _teach(self, settings: Settings) -> None:
        """Label the frames of a warm-up, as far as none before it has."""
        iss = IssLabeller(self._segmenter.head)
        for frame in self._frames[len(self._seen):length_frames(settings.warm_up)]:
            seen = self._as_seen(frame, settings)
            self._seen.append(seen)
            self._taught.append(
                iss.label(self._segmenter.encode(seen), seen.size_px, settings.tau))

    def _as_seen(self, frame: TrueFrame, settings: Settings) -> TrueFrame:
        """Return a frame as the networks see it."""
        seen = frame.shrunk(settings.segmenter.max_side_px)
        assert isinstance(seen, TrueFrame)  # shrunk with its truth
        return seen
