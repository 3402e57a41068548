"""What becomes of a method's labels: scores for the outcome, and masks in a bag."""

from __future__ import annotations

import numpy as np

from ditta_ros.evaluation.bags import BagWriter
from ditta_ros.evaluation.baselines import Method
from ditta_ros.evaluation.driving import Labelled
from ditta_ros.evaluation.metrics import frame_miou, share_same
from ditta_ros.evaluation.outcome import MASK_TOPIC
from ditta_ros.evaluation.scores import Scorer
from ditta_ros.evaluation.warm_up_length import Boundary
from ditta_ros.mapping import ClassMapping


class Record:
    """Scores labels frame by frame and writes them down; nothing of a frame is kept.

    ``scored`` counts the frames after the warm-up, ``evaluated`` those of them with truth;
    ``miou_of_frame`` has every frame with truth.
    """

    def __init__(
        self, classes: int, boundary: Boundary, plain: Method | None,
        mapping: ClassMapping | None,
    ) -> None:
        """``plain`` labels the same frames without adaptation; None: the method does so itself.

        Raises LabelError for more classes than metrics count.
        """
        self.scorer = Scorer(classes)
        self.labelled = self.scored = self.evaluated = 0
        self.miou_of_frame: list[tuple[int, float]] = []
        self._classes = classes
        self._boundary = boundary
        self._plain = plain
        self._mapping = mapping
        self._agreement_sum = 0.0

    def add(self, labelled: Labelled, bag: BagWriter) -> None:
        """Take the next frame; raises LabelError where truth and classes do not fit."""
        given = labelled.given
        label = labelled.out.label.cpu().numpy()
        self.labelled += 1
        bag.image(MASK_TOPIC, given.stamp_ns, given.frame_id, label)
        truth = self._truth(given.label)
        if truth is not None:
            self.miou_of_frame.append((labelled.index, frame_miou(truth, label, self._classes)))
        if self._boundary.passed(labelled.index, given.stamp_ns):
            self.scored += 1
            self.evaluated += truth is not None
            self.scorer.add(label, truth, labelled.out.reliability.cpu().numpy())
            self._agreement_sum += self._agreement(labelled, label)

    @property
    def agreement_with_iss(self) -> float:
        """Share of pixels labelled as the plain model does, mean over the scored frames."""
        return self._agreement_sum / self.scored if self.scored else float('nan')

    @property
    def truth_as(self) -> tuple[int, ...]:
        """The label as which each true label counts; empty: as itself."""
        return () if self._mapping is None else tuple(self._mapping.truth_table.tolist())

    def _truth(self, label: np.ndarray | None) -> np.ndarray | None:
        return label if label is None or self._mapping is None else self._mapping.truth(label)

    def _agreement(self, labelled: Labelled, label: np.ndarray) -> float:
        if self._plain is None:
            return 1.0
        return share_same(self._plain.feed(labelled.frame).label.cpu().numpy(), label)
