"""What has learnt on a stream, before any guard: how it does, and every signal of ``signals``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ditta_ros.evaluation.baselines import TrueFrame
from ditta_ros.evaluation.bed.reached import Meter, Reached
from ditta_ros.evaluation.bed.signals import HeldOut, View, signals
from ditta_ros.evaluation.bed.targets import Taught, walked
from ditta_ros.guard import held_out
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.lessons import Lessons
from ditta_ros.losses import distill_label
from ditta_ros.segmenter import Head, Segmenter, entropy, upsample
from ditta_ros.settings import Settings
from ditta_ros.tracker import MaskTracker
from ditta_ros.trial import ThirdOpinion


@dataclass(frozen=True)
class Candidate:
    """What a variant's head reaches where nobody judges it, and its signals by name."""

    reached: Reached
    signals: Mapping[str, float]


def measure_candidate(
    settings: Settings, segmenter: Segmenter, tracker: MaskTracker,
    frames: Sequence[TrueFrame], taught: Sequence[Taught],
) -> Candidate | None:
    """Learn as a session does, label all that follows, and look at the frames held out.

    ``frames`` are the whole stream's, ``taught`` is what the plain model says of those of the
    warm-up.  None where no frame is held out, or nothing was tracked.
    """
    warm_up = walked(settings, segmenter, tracker, frames, taught)
    samples = warm_up.samples()
    held = held_out(len(samples), settings.adaptation.held_out_percent)
    if not held or not warm_up.objects:
        return None
    rule, learnt_from = settings.adaptation, len(samples) - held
    start = warm_up.head or segmenter.head
    lessons = Lessons(
        lambda: start, rule, warm_up.sample,
        rule.add_on_start == 'matching' and not segmenter.has_add_on)
    lessons.plan(samples, held)
    while lessons.left:
        lessons.step()
    head, teacher = lessons.head(), segmenter.recoloured(warm_up.colours)
    # The frame before those that are held out, which there always is, tells what is steady.
    looked_at = range(learnt_from - 1, len(samples))
    views = _Views([frames[t] for t in looked_at], held, settings.tau)
    judged = [samples[t] for t in range(learnt_from, len(samples))]
    third = ThirdOpinion(segmenter.head, samples, learnt_from, settings.tau)
    for sample in judged:
        third.hear(sample)
    seen = HeldOut(
        views.of(TemporalLabeller(head), head, teacher),
        views.of(IssLabeller(segmenter.head), segmenter.head, segmenter),
        views.of(IssLabeller(start), start, teacher),
        views.mirrored(teacher),
        torch.stack(third.labels),
        torch.stack([distill_label(each.object_label, each.iss_label) for each in judged]),
        torch.stack([each.object_id for each in judged]),
        torch.stack([each.object_label for each in judged]), len(segmenter.label_set))
    reached = _reached(head, teacher, frames[len(samples):], settings.tau)
    return Candidate(reached, signals(seen))


def _reached(
    head: Head, encoder: Segmenter, frames: Sequence[TrueFrame], tau: float,
) -> Reached:
    """Return what ``head`` reaches on the frames that follow one another."""
    meter, labeller = Meter(encoder.label_set.names), TemporalLabeller(head)
    for frame in frames:
        assert frame.truth is not None  # the bed's sources have truth of every frame
        label, _ = labeller.label(encoder.encode(frame), frame.size_px, tau)
        meter.add(frame.truth.cpu().numpy(), label.cpu().numpy())
    return meter.reached()


@dataclass(frozen=True, eq=False)
class _Views:
    """The last frames of a warm-up, for models to label; the last ``held`` of them count."""

    frames: Sequence[TrueFrame]
    held: int
    tau: float

    @torch.no_grad()
    def of(
        self, labeller: IssLabeller | TemporalLabeller, head: Head, encoder: Segmenter,
    ) -> View:
        """Return what ``labeller``, made of ``head``, says of them."""
        labelled, entropies = [], []
        for frame in self.frames:
            features = encoder.encode(frame)
            labelled.append(labeller.label(features, frame.size_px, self.tau))
            probabilities = upsample(head(features).logits, frame.size_px)[0].softmax(0)
            entropies.append(entropy(probabilities).mean())
        labels = [label for label, _ in labelled]
        same = torch.stack([one == other for one, other in pairwise(labels)])
        return View(
            torch.stack(labels[-self.held:]),
            torch.stack([reliability for _, reliability in labelled[-self.held:]]),
            float(torch.stack(entropies[-self.held:]).mean()),
            1 - float(same.float().mean()), same)

    @torch.no_grad()
    def mirrored(self, teacher: Segmenter) -> Tensor:
        """Return the teacher's labels of the mirrored pictures, mirrored back, [T, H, W]."""
        labeller = IssLabeller(teacher.head)
        return torch.stack([
            labeller.label(teacher.encode(frame.rgb.flip(1)), frame.size_px, self.tau)[0].flip(1)
            for frame in self.frames[-self.held:]])
