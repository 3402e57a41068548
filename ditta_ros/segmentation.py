"""What a stream's frame becomes, and where the stream was on its way."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from torch import Tensor


class Phase(enum.Enum):
    """Where a stream is on its way."""

    WARM_UP = 'warm_up'  # recording and tracking; the model in force labels
    ADAPT = 'adapt'  # learning; the model in force labels
    FROZEN = 'frozen'  # nothing learns; the adapted model labels, where there is one


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The labels of one frame, with the frame's own stamp and frame_id."""

    stamp_ns: int
    frame_id: str
    label: Tensor  # [H, W], uint8 or int32 as ``labels.label_dtype`` says
    reliability: Tensor  # float32 [H, W], 0..1 (Eq. 2)
    phase: Phase
