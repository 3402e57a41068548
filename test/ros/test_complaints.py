"""What is wrong with every image is not logged with every image."""

from __future__ import annotations

import logging

import pytest

from ditta_ros.ros import complaints
from ditta_ros.ros.complaints import Complaints


def test_a_complaint_is_repeated_after_a_while_and_another_one_is_made_at_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = Complaints(logging.getLogger('ditta_ros.test'))
    said.say('image dropped: got 640 bytes')
    said.say('image dropped: got 641 bytes')
    said.say('frame dropped: got 640 bytes', ValueError('why'))
    assert caplog.messages == ['image dropped: got 640 bytes', 'frame dropped: got 640 bytes']
    assert 'ValueError: why' in caplog.text
    monkeypatch.setattr(complaints, 'REPEAT_S', 0.0)
    said.say('image dropped: got 642 bytes')
    assert caplog.messages[2:] == ['image dropped: got 642 bytes']
