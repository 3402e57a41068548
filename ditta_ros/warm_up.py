"""The warm-up: frames are recorded, objects prompted and tracked, their classes voted for.

What comes out are the samples that the head learns from (method sections 3 to 5).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ditta_ros.adaptation import Sample
from ditta_ros.calibration import FRAMES as CALIBRATION_FRAMES
from ditta_ros.calibration import Calibration
from ditta_ros.colours import Colours
from ditta_ros.frame import Frame
from ditta_ros.kept_features import kept
from ditta_ros.labeller import Labelled
from ditta_ros.labels import unlabelled_in
from ditta_ros.packed_mask import PackedMask
from ditta_ros.prompts import occupied_by, propose
from ditta_ros.segmenter import Features, Head
from ditta_ros.settings import Settings, WarmUpSettings
from ditta_ros.targets import Votes, object_label, paint, pixel_weight
from ditta_ros.tracker import Masks, MaskTracker


@runtime_checkable
class KeepsPast(Protocol):
    """A tracker that keeps past frames, and can be told to keep fewer or more."""

    def keep_past(self, frames: int) -> None:
        """Keep so many past frames from now on, the newest ones."""


@dataclass(eq=False)
class _Recorded:
    """A warm-up frame: what the frozen segmenter said of it, and the objects found on it."""

    rgb: Tensor | None  # uint8 [H, W, 3]; None once the frame has been tracked
    features: Features
    label: Tensor  # [H, W]
    reliability: Tensor  # float32 [H, W]
    plain_label: Tensor  # [H, W], of the segmenter as it came
    masks: dict[int, PackedMask] = field(default_factory=dict)  # by object id

    def teach(self, taught: Labelled) -> None:
        """Learn from what the segmenter makes of the frame in another way."""
        self.features, self.label, self.reliability = taught


class WarmUp:
    """Collects one warm-up of frames of one size, and turns it into training samples."""

    def __init__(
        self, settings: Settings, tracker: MaskTracker, classes: int, size_px: tuple[int, int],
        calibration: Calibration | None = None,
    ) -> None:
        """``calibration`` None: the segmenter teaches as it came."""
        self.closed = False
        self.objects = 0
        self._settings = settings
        self._tracker = tracker
        self._calibration = calibration
        self._classes = classes
        self._size_px = size_px
        self._first_stamp_ns: int | None = None
        self._last_stamp_ns: int | None = None
        self._recorded: list[_Recorded] = []
        self._tracked = 0
        self._most_objects = settings.tracker.max_objects
        self._ended_objects = 0  # when the tracker had to begin anew
        self._had_objects = 0  # at once, until then
        self._past_frames = settings.tracker.backward_buffer_frames
        # What the newest objects' walk back through the past has still to do.
        self._backward: Iterator[tuple[Masks, _Recorded]] = iter(())
        self._votes: Votes | None = None
        if isinstance(tracker, KeepsPast):  # a warm-up before may have had to keep fewer
            tracker.keep_past(self._past_frames)
        tracker.start(size_px)

    @property
    def colours(self) -> Colours | None:
        """The stream's colours, where they are changed to teach."""
        return None if self._calibration is None else self._calibration.colours

    @property
    def head(self) -> Head | None:
        """The head that teaches, where its statistics are changed to do so."""
        return None if self._calibration is None else self._calibration.head

    @property
    def frames(self) -> int:
        """Frames recorded so far."""
        return len(self._recorded)

    @property
    def tracked(self) -> int:
        """Frames tracked so far; objects prompted on the last may still be on their way back."""
        return self._tracked

    def takes(self, frame: Frame) -> bool:
        """Whether ``frame`` still belongs to the warm-up; closes it where it does not."""
        rule = self._settings.warm_up
        if rule.unit == 'seconds' and self._first_stamp_ns is not None:
            spent_ns = frame.stamp_ns - self._first_stamp_ns
            self.closed = self.closed or spent_ns >= rule.amount * 1e9
        return not self.closed

    def record(self, frame: Frame, features: Features, label: Tensor, reliability: Tensor) -> None:
        """Take a frame with the frozen segmenter's features, label and reliability of it."""
        self._check_stamp(frame)
        if self._first_stamp_ns is None:
            self._first_stamp_ns = frame.stamp_ns
        self._recorded.append(_Recorded(frame.rgb, features, label, reliability, label))
        wanted = length_frames(self._settings.warm_up)
        self.closed = self.closed or (wanted is not None and self.frames >= wanted)

    def _check_stamp(self, frame: Frame) -> None:
        """Seconds are counted by stamps: where they stand still, a warm-up would never end."""
        last_ns, self._last_stamp_ns = self._last_stamp_ns, frame.stamp_ns
        if self._settings.warm_up.unit == 'seconds' and frame.stamp_ns == last_ns:
            raise ValueError(
                f'warm_up.unit seconds needs stamps that advance, got {last_ns} ns twice: have '
                'the camera stamp its images, or count in frames')

    def track_next(self) -> bool:
        """Do one unit of tracking; False where there is nothing to do now.

        A unit is the next recorded frame, tracked and prompted on, or one frame of the way back
        of the objects that were prompted last, which goes before.  Before all of them, the first
        frames are tried in other ways to teach, one by one.
        """
        if self._calibration is not None and not self._calibration.settled:
            return self._calibrate(self._calibration)
        step_back = next(self._backward, None)
        if step_back is not None:
            masks, past = step_back
            self._count(past, masks)
            return True
        if self._tracked == self.frames:
            return False
        self._tracked += 1
        done = False
        try:
            self._track(self._tracked - 1)
            done = True
        finally:
            if not done:  # the frame is not tried again: its picture is gone
                self._start_anew()
        return True

    def _calibrate(self, calibration: Calibration) -> bool:
        """Try one more of the first frames in another way, once they are all there."""
        first = self._recorded[:CALIBRATION_FRAMES]
        if not first or (len(first) < CALIBRATION_FRAMES and not self.closed):
            return False
        pictures = [each.rgb for each in first if each.rgb is not None]
        taught = calibration.try_next(
            pictures, [Labelled(each.features, each.label, each.reliability) for each in first])
        for each, labelled in zip(first, taught, strict=False):  # none where all stays
            each.teach(self._kept(labelled))
        return True

    def reduce(self) -> str:
        """Ask less of the tracker, as memory ran out; return in words what, '' where nothing can.

        The tracker begins anew with the next frame: half as many objects as it had may be
        prompted, and half as many past frames are kept.  Masks so far stay.
        """
        self._start_anew()
        shortens = isinstance(self._tracker, KeepsPast) and self._past_frames > 0
        if self._had_objects < 2 and not shortens:
            return ''
        self._had_objects //= 2
        self._most_objects = min(
            self._most_objects, self.objects + max(self._had_objects, 1))
        self._past_frames //= 2
        if isinstance(self._tracker, KeepsPast):
            self._tracker.keep_past(self._past_frames)
        return (f'{self._most_objects - self.objects} more objects and {self._past_frames} past '
                'frames at most')

    def _start_anew(self) -> None:
        """Begin to track anew with the next frame, as the tracker's state is unknown.

        The objects so far end, and masks of new ones go back to that frame at most.
        """
        self._backward = iter(())
        self._had_objects = max(self._had_objects, self.objects - self._ended_objects)
        self._ended_objects = self.objects
        self._tracker.start(self._size_px)

    def _track(self, t: int) -> None:
        """Track into frame ``t``, prompt on it, and make ready the way back of the prompted."""
        now = self._recorded[t]
        assert now.rgb is not None  # or the frame would have been tracked before
        picture, now.rgb = now.rgb, None
        if self._calibration is not None and self._calibration.changes:
            if t >= CALIBRATION_FRAMES:
                now.teach(self._kept(self._calibration.teach(picture, now.features)))
            picture = self._calibration.picture(picture)
        masks = self._tracker.track(picture)
        rule = self._settings.targets
        prompts = propose(
            now.label, now.reliability, occupied_by(masks) if t else None, self._settings.tau,
            rule.covered_margin_px, self.objects + 1, self._most_objects - self.objects, t,
            each_region=rule.prompt_each == 'region', second_choice=rule.second_choice,
            min_region_px=rule.min_region_px)
        self._count(now, masks)
        if prompts:
            self.objects += len(prompts)
            here, backward = self._tracker.prompt(prompts)
            self._count(now, here)
            self._backward = zip(backward, reversed(self._recorded[:t]), strict=False)
        self._ballot(now).count_frame(now.label)

    def sample(self, t: int) -> Sample:
        """Return frame ``t`` of those tracked, with its targets by the votes so far."""
        return self._sample(t, self._ballot(self._recorded[t]).scores())

    def samples(self) -> Samples:
        """Return every recorded frame with its targets, in order; ends the tracking."""
        self._tracker.stop()
        if not self._recorded:
            return Samples(0, self.sample)
        scores = self._ballot(self._recorded[0]).scores()
        return Samples(self.frames, lambda t: self._sample(t, scores))

    def _sample(self, t: int, scores: Tensor) -> Sample:
        now, rule = self._recorded[t], self._settings.targets
        masks = {number: mask.unpacked(scores.device) for number, mask in now.masks.items()}
        object_id = paint(masks, scores, self._size_px, rule.on_top == 'smallest')
        voted = object_label(object_id, scores)
        # What the segmenter is sure of is not painted over.
        protected = (now.reliability > rule.protect_from) & (voted != now.label)
        previous = self._recorded[t - 1].features if t else None
        return Sample(
            now.features, previous, now.label, object_id,
            torch.where(protected, unlabelled_in(voted), voted),
            pixel_weight(voted, now.reliability, rule.unmasked))

    def iss_labels(self, frames: int) -> list[Tensor]:
        """Return the plain model's labels [H, W] of the last ``frames`` frames."""
        return [each.plain_label for each in self._recorded[max(self.frames - frames, 0):]]

    def _kept(self, labelled: Labelled) -> Labelled:
        """Return features as they wait for the adaptation."""
        return labelled._replace(features=kept(labelled.features, self._settings.adaptation))

    def _count(self, recorded: _Recorded, masks: Masks) -> None:
        """Count the votes in objects' masks on a frame, and keep the masks for painting."""
        self._ballot(recorded).add(recorded.label, recorded.reliability, masks)
        recorded.masks |= {number: PackedMask.of(mask) for number, mask in masks.items()}

    def _ballot(self, recorded: _Recorded) -> Votes:
        """The votes; made with the first frame, on whose device they stay."""
        if self._votes is None:
            rule = self._settings.targets
            self._votes = Votes(
                self._classes, self._settings.tracker.max_objects, rule.lambda_area,
                rule.lambda_freq, recorded.label.device)
        return self._votes


class Samples(Sequence[Sample]):
    """The frames of a warm-up as the head learns from them.

    The targets of each are painted when it is first asked for: all at once would take long.
    """

    def __init__(self, frames: int, paint_sample: Callable[[int], Sample]) -> None:
        self._frames = frames
        self._painted = functools.cache(paint_sample)

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, t: Any) -> Any:
        """Return frame ``t``, 0 up to their number."""
        if not 0 <= t < self._frames:
            raise IndexError(f'a warm-up of {self._frames} frames has no frame {t}')
        return self._painted(t)


def length_frames(rule: WarmUpSettings) -> int | None:
    """Length of the warm-up in frames, at least 1; None where it is counted in seconds.

    A share of r % of a stream of N frames is max(N * r // 100, 1) frames (section 7).
    """
    if rule.unit == 'seconds':
        return None
    if rule.unit == 'percent':
        return max(int(rule.stream_length_frames * rule.amount // 100), 1)
    return max(int(rule.amount), 1)
