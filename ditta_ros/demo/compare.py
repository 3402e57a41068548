"""The same frames through the node and through the plain model, scored side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ditta_ros.demo.play import Phase, Played
from ditta_ros.evaluation.bags import IMAGE_TOPIC, BagWriter
from ditta_ros.evaluation.metrics import share_different
from ditta_ros.evaluation.scores import Scorer, Scores
from ditta_ros.evaluation.source import Source
from ditta_ros.evaluation.topics import RESULT_PREFIX, TRUTH_TOPIC
from ditta_ros.frame import Frame
from ditta_ros.session import Session

MASK_TOPIC = f'{RESULT_PREFIX}mask'
CONFIDENCE_TOPIC = f'{RESULT_PREFIX}confidence'
OVERLAY_TOPIC = f'{RESULT_PREFIX}overlay'


def moments(frames: int, warm_up_frames: int) -> list[int]:
    """Return up to six frame indices to look at: two of the warm-up, four spread over the rest."""
    warm_up = [0, warm_up_frames // 2]
    rest = np.linspace(warm_up_frames, frames - 1, 4).round().astype(int).tolist()
    return sorted({index for index in (*warm_up, *rest) if 0 <= index < frames})


def record(played: Played, bag: BagWriter) -> None:
    """Write a frame and what the node made of it; pictures as JPEG, labels exactly."""
    frame, answer = played.frame, played.answer
    at = (frame.stamp_ns, frame.frame_id)
    bag.jpeg(f'{IMAGE_TOPIC}/compressed', *at, frame.rgb)
    if frame.label is not None:
        bag.image(TRUTH_TOPIC, *at, frame.label)
    if answer is not None:
        bag.image(MASK_TOPIC, *at, answer.label)
        bag.image(CONFIDENCE_TOPIC, *at, (answer.reliability * 255).round().astype(np.uint8))
        bag.jpeg(f'{OVERLAY_TOPIC}/compressed', *at, answer.overlay)


@dataclass(frozen=True)
class Plain:
    """What the plain model (ISS) made of the frames.

    ``labels``: label maps uint8 [H, W] of the frames asked for, by index.  ``agreement``: share
    of pixels that the node's masks label alike after the warm-up.
    """

    scores: Scores
    agreement: float
    phase: Phase
    labels: dict[int, np.ndarray]


def label_plainly(
    session: Session, source: Source, masks: Source, warm_up_frames: int, keep: Sequence[int],
    advance: Callable[[], None],
) -> Plain:
    """Label ``source`` with ``session`` and score the frames after the warm-up.

    ``masks`` are the node's; a frame that it did not label is not scored.
    """
    scorer = Scorer(len(session.label_set))
    phase = Phase('ISS, in this process')
    labels: dict[int, np.ndarray] = {}
    same: list[float] = []
    for index, (frame, mask) in enumerate(_matched(source, masks)):
        started_s = time.monotonic()
        out = session.feed(
            Frame.from_array(frame.rgb, frame.stamp_ns, frame.frame_id, session.device))
        label, reliability = out.label.cpu().numpy(), out.reliability.cpu().numpy()
        phase.latencies_s.append(time.monotonic() - started_s)
        if index >= warm_up_frames and mask is not None:
            scorer.add(label, frame.label, reliability)
            same.append(1 - share_different(label, mask))
        if index in keep:
            labels[index] = label
        advance()
    agreement = float(np.mean(same)) if same else float('nan')
    return Plain(scorer.scores(), agreement, phase, labels)


def _matched(source: Source, masks: Source) -> Iterator[tuple]:
    """Yield each frame with the mask of its stamp, uint8 [H, W], or None."""
    answers = iter(masks)
    answer = next(answers, None)
    for frame in source:
        if answer is None or answer.stamp_ns != frame.stamp_ns:
            yield frame, None
            continue
        yield frame, answer.rgb[:, :, 0]
        answer = next(answers, None)
