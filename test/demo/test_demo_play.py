"""The order of a stream through the node: warm-up, wait until frozen, rest; and its counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ditta_ros.demo import play
from ditta_ros.demo.play import Play
from ditta_ros.evaluation.source import Source, SourceFrame
from ditta_ros.ros.player import Answer, PlayerError

RATE_HZ = 1000.0


class Diary:
    """Stands in for the player (DDS has its own tests) and writes down what it is asked for."""

    def __init__(self, unanswered: tuple[int, ...] = (), adapts_in: int | None = 2) -> None:
        self.entries: list[str] = []
        self.status: dict[str, Any] = {'phase': 'warm_up'}
        self._unanswered = unanswered
        self._adapts_in = adapts_in
        self._waits = 0
        self.timeouts_s: list[float] = []

    def ask(
        self, rgb: np.ndarray, stamp_ns: int, frame_id: str, timeout_s: float, tries: int,
    ) -> Answer | None:
        self.entries.append(f'frame {stamp_ns}')
        self.timeouts_s.append(timeout_s)
        if stamp_ns in self._unanswered:
            return None
        label = np.zeros(rgb.shape[:2], np.uint8)
        return Answer(label, label.astype(np.float32), rgb, 0.02 * (1 + stamp_ns), 1 + stamp_ns)

    def wait_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        self._waits += 1
        self.status = {'phase': 'adapt', 'step': self._waits}
        if self._waits == self._adapts_in:
            self.entries.append('frozen')
            self.status = {'phase': 'frozen'}
        return done()


def source(frames: int) -> Source:
    rgb = np.zeros((4, 6, 3), np.uint8)
    return Source('made', frames, RATE_HZ, False, lambda: (
        SourceFrame(index, rgb) for index in range(frames)))


def test_the_stream_waits_between_warm_up_and_rest() -> None:
    diary, told = Diary(), []
    run = Play(source(4), diary, 2, told.append)  # type: ignore[arg-type]
    frames = list(run.frames())
    assert diary.entries == ['frame 0', 'frame 1', 'frozen', 'frame 2', 'frame 3']
    assert [(item.index, item.warm_up) for item in frames] == [
        (0, True), (1, True), (2, False), (3, False)]
    assert told == [{'phase': 'adapt', 'step': 1}]
    assert (run.sent, run.labelled, run.sent_again) == (4, 4, 0 + 1 + 2 + 3)
    assert run.warm_up.rate_fps == pytest.approx(2 / (0.02 + 0.04))
    assert run.frozen.median_ms == pytest.approx(70.0)


def test_a_stream_that_is_all_warm_up_is_waited_for_at_its_end() -> None:
    diary = Diary()
    list(Play(source(2), diary, 2, lambda status: None).frames())  # type: ignore[arg-type]
    assert diary.entries == ['frame 0', 'frame 1', 'frozen']


def test_a_stream_without_warm_up_waits_for_nothing() -> None:
    diary = Diary()
    run = Play(source(2), diary, 0, lambda status: None)  # type: ignore[arg-type]
    assert [item.warm_up for item in run.frames()] == [False, False]
    assert diary.entries == ['frame 0', 'frame 1']


def test_a_frame_without_an_answer_is_counted_as_dropped() -> None:
    run = Play(source(4), Diary((1, 3)), 1, lambda status: None)  # type: ignore[arg-type]
    frames = list(run.frames())
    assert [item.answer is None for item in frames] == [False, True, False, True]
    assert (run.sent, run.labelled, run.frozen.frames) == (4, 2, 1)


def test_a_slow_node_is_given_time() -> None:
    diary = Diary()
    run = Play(source(3), diary, 0, lambda status: None)  # type: ignore[arg-type]
    list(run.frames())
    assert diary.timeouts_s == [60.0, 10.0, 10.0]  # at first, then not less than this
    run.frozen.latencies_s.append(4.0)
    list(run.frames())
    assert diary.timeouts_s[3:] == [20.0, 20.0, 20.0]


def test_two_in_a_row_end_the_demo() -> None:
    run = Play(source(5), Diary((2, 3)), 1, lambda status: None)  # type: ignore[arg-type]
    with pytest.raises(PlayerError, match='frames 2 and 3 stayed without an answer'):
        list(run.frames())


def test_an_adaptation_that_stands_still_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    diary = Diary(adapts_in=None)
    monkeypatch.setattr(play, 'ADAPTATION_SILENCE_S', -1.0)
    run = Play(source(3), diary, 1, lambda status: None)  # type: ignore[arg-type]
    with pytest.raises(PlayerError, match="has not changed .* phase frozen, last: .*'adapt'"):
        list(run.frames())
