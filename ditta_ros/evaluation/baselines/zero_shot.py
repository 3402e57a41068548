"""Zero-shot refinement: the objects' masks with their voted classes, over the plain labels.

Nothing is trained.  The warm-up prompts objects, votes for their classes and tracks them as
DiTTA's does (sections 3 to 5), in the camera's own colours and with nothing protected; then no
object and no vote is added, and the objects that there are are tracked forward to the end of the
stream.

Votes are formed online.  A frame can be refined once its masks are known, so ``feed`` tracks, and
waits for it, where DiTTA tracks between frames.  A warm-up frame is painted with the masks that
reach it forward, by the votes of all frames up to it; masks that go back from a later prompt
change the votes, but no label that was given.  After the warm-up the votes are those of all its
frames, backward masks included.  A frame of the warm-up that is fed again then (where a whole
video is both learnt from and labelled) is painted with all its masks by the final votes, as
offline.

The reliability is the segmenter's, of its own label, also where a mask is painted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ditta_ros.frame import Frame
from ditta_ros.labeller import IssLabeller
from ditta_ros.labels import UNLABELLED, unlabelled_in
from ditta_ros.losses import distill_label
from ditta_ros.mapping import ClassMapping
from ditta_ros.packed_mask import PackedMask
from ditta_ros.prompts import occupied_by, propose
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings
from ditta_ros.targets import Votes, object_label, paint
from ditta_ros.tracker import Masks, MaskTracker


@dataclass(frozen=True, eq=False)
class _Voter:
    """A warm-up frame that masks may still come back to."""

    label: Tensor  # [H, W]
    reliability: Tensor  # float32 [H, W]
    masks: dict[int, PackedMask]  # by object id; grows


class ZeroShot:
    """Tracks within ``label``; ``work`` does the walks back.

    It holds a label and a reliability for each frame of the tracker's backward buffer, and the
    packed masks of the warm-up's frames.
    """

    def __init__(
        self, settings: Settings, segmenter: Segmenter, tracker: MaskTracker,
        mapping: ClassMapping | None = None,
    ) -> None:
        """With a ``mapping``, an object whose class it drops is not painted."""
        self.unit = 'track'
        self.steps = 0
        self.objects = 0
        self._settings = settings
        self._segmenter = segmenter
        self._tracker = tracker
        self._mapping = mapping
        self._teacher = IssLabeller(segmenter.head)  # in the segmenter's own classes
        self._iss = IssLabeller(segmenter.head, mapping)
        self._votes = Votes(
            len(segmenter.label_set), settings.tracker.max_objects, settings.targets.lambda_area,
            settings.targets.lambda_freq, segmenter.device)
        self._tracks = False  # the tracker has seen the frame before this one
        self._seen = 0  # warm-up frames
        self._masks: dict[int, dict[int, PackedMask]] = {}  # of warm-up frames, by stamp
        self._past: deque[_Voter] = deque(maxlen=settings.tracker.backward_buffer_frames)
        # What the newest objects' walk back through the past has still to do.
        self._backward: Iterator[tuple[Masks, _Voter]] = iter(())

    def label(self, frame: Frame, teaches: bool) -> tuple[Tensor, Tensor]:
        """Track into the frame, prompt on it where it ``teaches``, and paint what is tracked."""
        features = self._segmenter.encode(frame)
        own, certainty = self._teacher.label(features, frame.size_px, self._settings.tau)
        masks = self._learn_from(frame, own, certainty) if teaches else self._masks_on(frame)
        scores = self._votes.scores()
        painted = object_label(paint(masks, scores, frame.size_px), scores)
        if self._mapping is None:
            return distill_label(painted, own), certainty
        label, reliability = self._iss.label(features, frame.size_px, self._settings.tau)
        return distill_label(_mapped(painted, self._mapping), label), reliability

    def work(self, no_more: bool) -> bool:  # noqa: ARG002 - learns at once
        """Track the newest objects one frame further back, and count their votes there."""
        step_back = next(self._backward, None)
        if step_back is not None:
            masks, past = step_back
            self._count(past, masks)
        return step_back is not None

    def learnt(self) -> Mapping[str, Tensor]:
        """Return the result of the vote, [max_objects + 1, C]."""
        return {'scores': self._votes.scores()}

    def forget(self) -> None:
        """End the tracking; the masks of the warm-up's frames stay."""
        if self._tracks:
            self._tracker.stop()
        self._tracks = False
        self._backward = iter(())

    def _learn_from(self, frame: Frame, label: Tensor, reliability: Tensor) -> Masks:
        """Return the masks on a warm-up frame, those prompted on it among them."""
        masks = self._track(frame)
        now = _Voter(label, reliability, {})
        self._masks[frame.stamp_ns] = now.masks
        rule = self._settings
        prompts = propose(
            label, reliability, occupied_by(masks) if self._seen else None, rule.tau,
            rule.targets.covered_margin_px, self.objects + 1,
            rule.tracker.max_objects - self.objects, self._seen)
        self._seen += 1
        if prompts:
            self.objects += len(prompts)
            here, backward = self._tracker.prompt(prompts)
            self._backward = zip(backward, list(reversed(self._past)), strict=False)
            masks = {**masks, **here}
        self._count(now, masks)
        self._votes.count_frame(label)
        self._past.append(now)
        return masks

    def _masks_on(self, frame: Frame) -> Masks:
        """Return the masks on a frame that teaches nothing; nothing is remembered of it."""
        if not self._tracks:
            return {number: mask.unpacked(frame.rgb.device)
                    for number, mask in self._masks.get(frame.stamp_ns, {}).items()}
        masks = self._track(frame)
        self._past.clear()  # nothing more comes back
        if not masks:  # the last object is gone, and none will come
            self.forget()
        return masks

    def _track(self, frame: Frame) -> Masks:
        """Track into the next frame, once the newest objects' walk back has ended."""
        while self.work(no_more=False):
            pass
        if not self._tracks:
            self._tracker.start(frame.size_px)
            self._tracks = True
        return self._tracker.track(frame.rgb)

    def _count(self, voter: _Voter, masks: Masks) -> None:
        self._votes.add(voter.label, voter.reliability, masks)
        voter.masks.update((number, PackedMask.of(mask)) for number, mask in masks.items())


def _mapped(label: Tensor, mapping: ClassMapping) -> Tensor:
    """Return labels [H, W] as those of the target; unlabelled where it has none."""
    table = mapping.target_of.new_full((unlabelled_in(label) + 1,), UNLABELLED)
    kept = mapping.target_of < len(mapping.label_set)
    table[:len(kept)] = torch.where(kept, mapping.target_of, UNLABELLED)
    return table.to(label.device)[label.long()].to(torch.uint8)  # a target has no wide labels
