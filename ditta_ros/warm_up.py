"""The warm-up: frames are recorded, objects prompted and tracked, their classes voted for.

What comes out are the samples that the head learns from (method sections 3 to 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ditta_ros.adaptation import Sample
from ditta_ros.frame import Frame
from ditta_ros.prompts import propose
from ditta_ros.segmenter import Features
from ditta_ros.settings import Settings, WarmUpSettings
from ditta_ros.targets import Votes, object_label, paint
from ditta_ros.tracker import Masks, MaskTracker


@dataclass(eq=False)
class _Recorded:
    """A warm-up frame: what the frozen segmenter said of it, and the objects found on it."""

    frame: Frame
    features: Features
    label: Tensor  # uint8 [H, W]
    reliability: Tensor  # float32 [H, W]
    masks: Masks = field(default_factory=dict)


class WarmUp:
    """Collects one warm-up of frames of one size, and turns it into training samples."""

    def __init__(
        self, settings: Settings, tracker: MaskTracker, classes: int, size_px: tuple[int, int],
    ) -> None:
        self.closed = False
        self.objects = 0
        self._settings = settings
        self._tracker = tracker
        self._classes = classes
        self._size_px = size_px
        self._recorded: list[_Recorded] = []
        self._tracked = 0
        self._votes: Votes | None = None
        tracker.start(size_px)

    @property
    def frames(self) -> int:
        """Frames recorded so far."""
        return len(self._recorded)

    def takes(self, frame: Frame) -> bool:
        """Whether ``frame`` still belongs to the warm-up; closes it where it does not."""
        rule = self._settings.warm_up
        if rule.unit == 'seconds' and self._recorded:
            spent_ns = frame.stamp_ns - self._recorded[0].frame.stamp_ns
            self.closed = self.closed or spent_ns >= rule.amount * 1e9
        return not self.closed

    def record(self, frame: Frame, features: Features, label: Tensor, reliability: Tensor) -> None:
        """Take a frame with the frozen segmenter's features, label and reliability of it."""
        self._recorded.append(_Recorded(frame, features, label, reliability))
        wanted = length_frames(self._settings.warm_up)
        self.closed = self.closed or (wanted is not None and self.frames >= wanted)

    def track_next(self) -> bool:
        """Track and prompt on the next recorded frame; False where all have been tracked."""
        if self._tracked == self.frames:
            return False
        t, now = self._tracked, self._recorded[self._tracked]
        now.masks = self._tracker.track(now.frame.rgb)
        prompts = propose(
            now.label, now.reliability, self._occupied(now.masks) if t else None,
            self._settings.tau, self._settings.targets.covered_margin_px, self.objects + 1,
            self._settings.tracker.max_objects - self.objects, t)
        self._count(now, now.masks)
        if prompts:
            self.objects += len(prompts)
            fresh, backward = self._tracker.prompt(prompts)
            now.masks = now.masks | fresh
            self._count(now, fresh)
            for past, masks in zip(reversed(self._recorded[:t]), backward, strict=False):
                past.masks = past.masks | masks
                self._count(past, masks)
        self._ballot(now).count_frame(now.label)
        self._tracked += 1
        return True

    def samples(self) -> list[Sample]:
        """Return every recorded frame with its targets, in order; ends the tracking."""
        self._tracker.stop()
        if not self._recorded:
            return []
        scores = self._ballot(self._recorded[0]).scores()
        samples: list[Sample] = []
        for now in self._recorded:
            object_id = paint(now.masks, scores, self._size_px)
            previous = samples[-1].features if samples else None
            samples.append(Sample(
                now.features, previous, now.label, object_id, object_label(object_id, scores)))
        return samples

    def _occupied(self, masks: Masks) -> Tensor | None:
        union = None
        for mask in masks.values():
            union = mask if union is None else union | mask
        return union

    def _count(self, recorded: _Recorded, masks: Masks) -> None:
        self._ballot(recorded).add(recorded.label, recorded.reliability, masks)

    def _ballot(self, recorded: _Recorded) -> Votes:
        """The votes; made with the first frame, on whose device they stay."""
        if self._votes is None:
            rule = self._settings.targets
            self._votes = Votes(
                self._classes, self._settings.tracker.max_objects, rule.lambda_area,
                rule.lambda_freq, recorded.label.device)
        return self._votes


def length_frames(rule: WarmUpSettings) -> int | None:
    """Length of the warm-up in frames, at least 1; None where it is counted in seconds.

    A share of r % of a stream of N frames is max(N * r // 100, 1) frames (section 7).
    """
    if rule.unit == 'seconds':
        return None
    if rule.unit == 'percent':
        return max(int(rule.stream_length_frames * rule.amount // 100), 1)
    return max(int(rule.amount), 1)
