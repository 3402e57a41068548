"""A tracker for many walks through one stream: what two of them ask alike is computed once."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ditta_ros.evaluation.bed.encoding import digest
from ditta_ros.prompts import Prompt
from ditta_ros.tracker import Masks, MaskTracker, Started

Step = tuple[bytes, tuple[Prompt, ...]]  # a frame, by its digest, and the prompts on it
Way = tuple[Step, ...]  # from the start on


class BranchingTracker:
    """Masks of one stream, by the pictures and prompts that led to them.

    A tracker's masks depend on the pictures and prompts before them alone, so a walk that asks as
    another one did is given that one's masks, to the frame on which it asks otherwise.  From there
    on it is tracked: the frames up to there are tracked again, with its own prompts.  A short
    warm-up is the beginning of a longer one.
    """

    def __init__(self, tracker: MaskTracker) -> None:
        self._tracker = tracker
        self._size_px = (0, 0)
        self._pictures: dict[bytes, Tensor] = {}
        self._masks: dict[Way, Masks] = {}  # on the last frame, before the prompts on it
        self._started: dict[Way, tuple[Masks, list[Masks]]] = {}
        self._way: Way = ()  # of the walk under way
        self._real: Way | None = None  # of the tracker behind; None: it has not begun

    def start(self, size_px: tuple[int, int]) -> None:
        """Begin a walk; frames of ``size_px`` (H, W) follow."""
        self._size_px = size_px
        self._way = ()

    def track(self, rgb: Tensor) -> Masks:
        """Return the masks on the next frame, uint8 [H, W, 3]."""
        picture = digest(rgb)
        self._pictures.setdefault(picture, rgb)
        before, self._way = self._way, (*self._way, (picture, ()))
        if self._way not in self._masks:
            self._go_to(before)
            self._masks[self._way] = self._tracker.track(rgb)
            self._real = self._way
        return dict(self._masks[self._way])

    def prompt(self, prompts: Sequence[Prompt]) -> Started:
        """Start objects on the current frame; their way back is tracked at once."""
        before, picture = self._way, self._way[-1][0]
        self._way = (*before[:-1], (picture, tuple(prompts)))
        if self._way not in self._started:
            self._go_to(before)
            here, backward = self._tracker.prompt(prompts)
            self._started[self._way] = here, list(backward)
            self._real = self._way
        here, past = self._started[self._way]
        return Started(dict(here), iter(past))

    def memory_bound_mb(self, objects: int) -> float:
        """Return the bound of the tracker behind, in MB; the masks kept come on top."""
        return self._tracker.memory_bound_mb(objects)

    def stop(self) -> None:
        """Keep everything: the stream may be walked again."""

    def _go_to(self, way: Way) -> None:
        """Bring the tracker behind to where ``way`` ends."""
        if self._real == way:
            return
        self._real = None  # until it is there: an error on the way leaves it anywhere
        self._tracker.start(self._size_px)
        for picture, prompts in way:
            self._tracker.track(self._pictures[picture])
            if prompts:
                self._tracker.prompt(prompts)
        self._real = way
