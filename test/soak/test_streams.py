"""The endless streams: every frame is labelled, every warm-up learns."""

from __future__ import annotations

from ditta_ros.session import Phase
from ditta_ros.soak.streams import (
    PERIOD_NS,
    SIDES_PX,
    WARM_UP_FRAMES,
    Camera,
    label_for_long,
    open_session,
    warm_up_often,
)
from ditta_ros.soak.tick import silent


def test_the_camera_repeats_its_pictures_and_not_its_stamps() -> None:
    camera = Camera()
    frames = [camera.next() for _ in range(52)]
    assert [frame.stamp_ns for frame in frames] == [PERIOD_NS * n for n in range(52)]
    assert {frame.size_px for frame in frames} == {SIDES_PX}
    assert (frames[0].rgb == frames[50].rgb).all()
    assert not (frames[0].rgb == frames[1].rgb).all()


def test_frames_are_labelled_by_a_model_that_has_learnt() -> None:
    done = label_for_long(40, silent)
    assert (done.fed, done.lost) == (40, 0)
    assert done.memory.units == list(range(1, 41))
    assert min(done.memory.memory_mb) > 10


def test_every_warm_up_learns_and_memory_is_taken_after_each_second() -> None:
    done = warm_up_often(5, silent)
    assert (done.fed, done.lost) == (5 * WARM_UP_FRAMES, 0)
    assert (done.memory.what, done.memory.units) == ('warm-ups', [2, 4])


def test_a_session_adapts_within_a_warm_up() -> None:
    session, camera = open_session(), Camera()
    for _ in range(WARM_UP_FRAMES):
        session.feed(camera.next())
        while session.work():
            pass
    assert session.phase is Phase.FROZEN
    assert session.status()['objects'] > 0, 'nothing was tracked: the soak would show nothing'
    assert session.status()['adaptation_steps'] > 0
