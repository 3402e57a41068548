"""The two ways to label a frame from its backbone features: before and after adaptation."""

from __future__ import annotations

from torch import Tensor

from ditta_ros.segmenter import Decoded, Features, Head
from ditta_ros.temporal import add_on, decide


class IssLabeller:
    """The image segmenter as it came: every frame by itself."""

    name = 'iss'

    def __init__(self, head: Head) -> None:
        self._head = head

    def label(
        self, features: Features, size_px: tuple[int, int], tau: float,
    ) -> tuple[Tensor, Tensor]:
        """Return label uint8 [H, W] and reliability float32 [H, W] of one frame (Eq. 2)."""
        return decide(self._head(features).logits, None, size_px, tau)

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""


class TemporalLabeller:
    """An adapted head with the add-on: each frame fused with the one before (Eq. 1, 3).

    The previous frame's fused feature and logits are kept; it is never encoded again.
    """

    name = 'adapted'

    def __init__(self, head: Head) -> None:
        self._head = head
        self._previous: Decoded | None = None

    def label(
        self, features: Features, size_px: tuple[int, int], tau: float,
    ) -> tuple[Tensor, Tensor]:
        """Return label uint8 [H, W] and reliability float32 [H, W] of the next frame."""
        decoded = self._head(features)
        carried = None
        if self._previous is not None:
            carried = add_on(self._head, decoded.feature, self._previous)
        self._previous = decoded
        return decide(decoded.logits, carried, size_px, tau)

    def forget(self) -> None:
        """Drop the previous frame: the next one does not follow it."""
        self._previous = None
