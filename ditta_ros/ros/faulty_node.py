"""The node with a fault put into it: ``python -m ditta_ros.ros.faulty_node FAULT --ros-args ...``.

For the soak and the tests alone.  The parts of the real node are made to fail in this process;
all that notices, bears and tells of it is the node's own.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ditta_ros import adaptation
from ditta_ros.adaptation import Adapter
from ditta_ros.frame import Frame
from ditta_ros.model_in_force import Labelled, ModelInForce
from ditta_ros.ros import node
from ditta_ros.session import Segmentation, Session
from ditta_ros.tracker import Sam2Tracker

SLOW_S = 2.0  # ten times the period of a camera of 5 Hz
SLOW_FRAME, SHORT_FRAME = 60, 5  # by number, from 1
LARGEST_FILE_BYTES = 2 ** 16  # an adapted head has more, the log has less


def tracker_raises() -> None:
    """Every call of the tracker fails."""
    _always(Sam2Tracker, 'track', RuntimeError, 'injected: no kernel image')


def tracker_out_of_memory() -> None:
    """Every call of the tracker runs out of memory."""
    _always(Sam2Tracker, 'track', torch.OutOfMemoryError, 'injected: CUDA out of memory')


def learning_out_of_memory() -> None:
    """Every step of learning runs out of memory."""
    _always(Adapter, '_step', MemoryError, 'injected')


def adaptation_dies() -> None:
    """A step of learning ends with a mistake in the program, which nobody reckons with."""
    _always(Adapter, '_step', AttributeError, 'injected: no such attribute')


def loss_not_a_number() -> None:
    """Every loss is NaN."""
    def spoiled(scores: Tensor, *_: Any) -> Tensor:
        return scores.sum() * torch.nan

    _replace(adaptation, 'distill_loss', spoiled)


def labels_out_of_memory() -> None:
    """One frame of the warm-up cannot be labelled while the adaptation holds its memory."""
    label, calls = ModelInForce.label, _Count()

    def short(self: ModelInForce, frame: Frame, *rest: Any) -> Labelled:
        if calls.next() == SHORT_FRAME:
            raise torch.OutOfMemoryError('injected: CUDA out of memory')
        return label(self, frame, *rest)

    _replace(ModelInForce, 'label', short)


def slow_frame() -> None:
    """One frame takes ``SLOW_S``."""
    feed, calls = Session.feed, _Count()

    def slow(self: Session, frame: Frame) -> Segmentation:
        if calls.next() == SLOW_FRAME:
            time.sleep(SLOW_S)
        return feed(self, frame)

    _replace(Session, 'feed', slow)


def disk_full() -> None:
    """No file can grow beyond ``LARGEST_FILE_BYTES``: to write more fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE_BYTES, LARGEST_FILE_BYTES))


def nothing() -> None:
    """The node is left as it is: the fault is the camera's."""


INJECTIONS: dict[str, Callable[[], None]] = {
    inject.__name__: inject for inject in (
        tracker_raises, tracker_out_of_memory, learning_out_of_memory, adaptation_dies,
        loss_not_a_number, labels_out_of_memory, slow_frame, disk_full, nothing)}


class _Count:
    def __init__(self) -> None:
        self._calls = 0

    def next(self) -> int:
        self._calls += 1
        return self._calls


def _always(owner: type, method: str, kind: type[Exception], text: str) -> None:
    def fail(*_: Any) -> None:
        raise kind(text)

    _replace(owner, method, fail)


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


def main() -> int:
    """Put the named fault into the node, and run it as ``ditta_node`` does."""
    name, *arguments = sys.argv[1:] or ['']
    if name not in INJECTIONS:
        sys.stderr.write(f'a fault must be one of {", ".join(INJECTIONS)}, got {name!r}\n')
        return 2
    INJECTIONS[name]()
    return node.main([sys.argv[0], *arguments])


if __name__ == '__main__':
    sys.exit(main())
