"""A method is driven through a source: frames in, labels out, and the time that each takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ditta_ros.bench.timing import synchronise
from ditta_ros.evaluation.baselines import Method, TrueFrame
from ditta_ros.evaluation.source import Source, SourceError, SourceFrame
from ditta_ros.frame import SMALLEST_SIDE_PX, Frame
from ditta_ros.session import Phase, Segmentation

Tell = Callable[[str, int, int | None], None]
"""Is told what a job does, how many frames or steps of it are done, and of how many, if known."""

LABELLING = 'labelling'
DOING = {Phase.WARM_UP: 'warming up', Phase.ADAPT: 'learning', Phase.FROZEN: LABELLING}


@dataclass(frozen=True, eq=False)
class Labelled:
    """A frame of a source, the same on the method's device, and its labels."""

    index: int  # of all frames of the source
    given: SourceFrame
    frame: Frame
    out: Segmentation


class Driver:
    """Drives one method through one source, and keeps how long labels and adaptation took.

    ``latencies_s``: by phase, from a frame's arrival to its label; ``adaptation_s``: all units of
    ``work`` together; ``seen`` and ``dropped``: frames of the source in the last walk.
    """

    def __init__(self, method: Method, source: Source, tell: Tell) -> None:
        self.latencies_s: dict[str, list[float]] = {}
        self.adaptation_s = 0.0
        self.seen = self.dropped = 0
        self.source = source
        self._method = method
        self._tell = tell

    @property
    def next_unit(self) -> str:
        """The kind of the next unit of ``work``: 'track', 'learn' or 'none'."""
        return self._method.next_unit

    def every_frame(self) -> Iterator[Labelled]:
        """Label every frame once; all work that there is is done between two of them."""
        self.seen = self.dropped = 0
        for index, given in enumerate(self.source):
            self.seen = index + 1
            labelled, took_s = self.label(index, given)
            self.note_latency(labelled, took_s)
            yield labelled
            self.finish_work()

    def label(self, index: int, given: SourceFrame) -> tuple[Labelled, float]:
        """Label one frame; return it with the seconds it took.  Raises SourceError."""
        height, width = given.rgb.shape[:2]
        if min(height, width) < SMALLEST_SIDE_PX:
            raise SourceError(
                f'{self.source.name}: a frame must be at least {SMALLEST_SIDE_PX} px on each '
                f'side, got {width}x{height}: give larger images')
        device = self._method.device
        frame = TrueFrame.of(given, device)
        synchronise(device)
        began_s = time.perf_counter()
        out = self._method.feed(frame)
        synchronise(device)
        took_s = time.perf_counter() - began_s
        self._tell(DOING[out.phase], self.seen, self.source.length_frames)
        return Labelled(index, given, frame, out), took_s

    def note_latency(self, labelled: Labelled, latency_s: float) -> None:
        """Count a frame's latency among those of its phase."""
        self.latencies_s.setdefault(labelled.out.phase.value, []).append(latency_s)

    def work(self) -> tuple[bool, float]:
        """Do one unit of adaptation; return whether there was one, and the seconds it took."""
        began_s = time.perf_counter()
        done = self._method.work()
        synchronise(self._method.device)
        took_s = time.perf_counter() - began_s
        if done:
            self.adaptation_s += took_s
            status = self._method.status()
            if status['phase'] == Phase.ADAPT.value:
                self._tell(DOING[Phase.ADAPT], status['adaptation_steps'],
                           status.get('adaptation_steps_planned'))
        return done, took_s

    def finish_work(self) -> None:
        """Do all units that there are now."""
        while self.work()[0]:
            pass

    def end_of_stream(self) -> None:
        """Close the warm-up with the frames that it has, and learn from them to the end."""
        self._method.end_of_stream()
        self.finish_work()
