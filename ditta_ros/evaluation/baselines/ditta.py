"""DiTTA itself, as it runs on the robot."""

from __future__ import annotations

from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import Settings
from ditta_ros.tracker import MaskTracker


def open_ditta(
    settings: Settings, segmenter: Segmenter, tracker: MaskTracker,
    mapping: ClassMapping | None = None,
) -> Session:
    """Return a session that labels, tracks and learns with these parts."""
    return Session(settings, segmenter, tracker, mapping)
