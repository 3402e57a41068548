"""The model that labels a stream now, and the frozen one that teaches."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from ditta_ros.acceleration import Acceleration
from ditta_ros.checkpoint import Adapted
from ditta_ros.device import describe
from ditta_ros.drift import Drift
from ditta_ros.frame import Frame
from ditta_ros.labeller import IssLabeller, Labelled, Run, TemporalLabeller, directly
from ditta_ros.labels import LabelSet
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import AdaptationSettings, Settings

WARM_STARTS = 3  # a CUDA graph is made in the second of them


class ModelInForce:
    """The frozen segmenter, or an adapted head; one is exchanged for the other between two frames.

    ``drift`` watches the labels of the model that is in force.
    """

    def __init__(
        self, segmenter: Segmenter, mapping: ClassMapping | None, settings: Settings,
    ) -> None:
        """With a ``mapping`` labels are of its target classes, but for ``teach``."""
        self.adapted: Adapted | None = None
        self._segmenter = segmenter
        self._mapping = mapping
        self._drift_window_frames = settings.adaptation.drift_window_frames
        self._max_side_px = settings.segmenter.max_side_px
        self._acceleration = Acceleration(settings.segmenter, segmenter.device)
        self._last: tuple[int, tuple[int, int]] | None = None  # stamp and size
        self._teacher = IssLabeller(segmenter.head)
        self._iss = self._teacher if mapping is None else IssLabeller(segmenter.head, mapping)
        self.put_back()

    @property
    def label_set(self) -> LabelSet:
        """Names and colours of the labels."""
        return self._segmenter.label_set if self._mapping is None else self._mapping.label_set

    @property
    def name(self) -> str:
        """The kind of the model: 'iss' or 'adapted'."""
        return self._labeller.name

    def status(self) -> dict[str, Any]:
        """Return what a session's status says of it."""
        return {
            'model': self.name, 'promoted': self.adapted is not None,
            'device': describe(self._segmenter.device), 'computing': str(self._acceleration)}

    def follow(self, frame: Frame) -> str:
        """Note that ``frame`` comes next; say why it does not go on where the last one was, or ''.

        A jump is told once; what to ``forget`` for it is the caller's.
        """
        last, self._last = self._last, (frame.stamp_ns, frame.size_px)
        if last is None:
            return ''
        stamp_ns, size_px = last
        if frame.stamp_ns < stamp_ns:
            return f'the stamp went back by {(stamp_ns - frame.stamp_ns) / 1e9:.3f} s'
        if frame.size_px != size_px:
            return f'the frame size changed from {size_px} to {frame.size_px} (H, W)'
        return ''

    @torch.no_grad()
    def label(self, frame: Frame, tau: float, teaches: bool = False) -> Labelled:
        """Label the next frame; without the acceleration where it ``teaches``."""
        run = directly if teaches else partial(self._acceleration.run, frame.size_px)
        return self._label(self._labeller, self._encoder, frame, tau, run)

    @torch.no_grad()
    def warm_start(self) -> None:
        """Have compiled what is to be compiled, if that is not done, so that no frame waits.

        CUDA graphs belong to the thread that records them: to be called on the one that labels,
        too.
        """
        wanted_px = self._acceleration.wanted_px
        if wanted_px is None or self._acceleration.is_ready():
            return
        black = torch.zeros((*wanted_px, 3), dtype=torch.uint8, device=self._segmenter.device)
        frame = Frame(0, '', black).shrunk(self._max_side_px)
        run = partial(self._acceleration.run, frame.size_px)
        with self._acceleration.starting(frame.size_px):
            # The adapted head that will come has the shapes of the frozen one.
            adapted = TemporalLabeller(self._segmenter.head, self._mapping)
            self._segmenter.encode(frame)  # installs transformers' hooks, which do not compile
            for labeller in (self._iss, adapted) * WARM_STARTS:
                self._label(labeller, self._segmenter, frame, 0.0, run)

    @torch.no_grad()
    def teach(self, frame: Frame, labelled: Labelled, tau: float) -> Labelled:
        """Return what the frozen segmenter makes of a frame that the model in force labelled."""
        if self._labeller is self._teacher:
            return labelled
        recoloured = self._encoder is not self._segmenter
        features = self._segmenter.encode(frame) if recoloured else labelled.features
        return Labelled(features, *self._teacher.label(features, frame.size_px, tau))

    def _label(
        self, labeller: IssLabeller | TemporalLabeller, encoder: Segmenter, frame: Frame,
        tau: float, run: Run,
    ) -> Labelled:
        features = run(type(encoder).encode, encoder, frame)
        return Labelled(features, *labeller.label(features, frame.size_px, tau, run))

    def put(self, adapted: Adapted) -> None:
        """Label with an adapted head from now on."""
        labeller = TemporalLabeller(adapted.head, self._mapping)
        self._labeller: IssLabeller | TemporalLabeller = labeller
        self._encoder = self._segmenter.recoloured(adapted.provenance.seen_colours())
        self.adapted = adapted
        self.watch_anew()

    def put_back(self) -> None:
        """Label with the frozen segmenter from now on."""
        self._labeller, self._encoder, self.adapted = self._iss, self._segmenter, None
        self.watch_anew()

    def watch(self, frame: Frame, labelled: Labelled, rule: AdaptationSettings) -> None:
        """Look for drift in the label of the frame that was labelled last, where ``rule`` asks."""
        if rule.on_drift != 'off':
            self.drift.add(frame.stamp_ns, labelled.label, labelled.reliability)
        elif self.drift.found:
            self.watch_anew()  # what was found is not told any longer

    def watch_anew(self) -> None:
        """Take the labels to come for the measure of drift."""
        self.drift = Drift(self._drift_window_frames)

    def forget(self) -> None:
        """Drop the frame before: the next one does not follow it."""
        self._labeller.forget()
        self.drift.forget()
