"""The plain image segmenter: what every method has to better."""

from __future__ import annotations

import dataclasses

from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import Settings


def open_iss(
    settings: Settings, segmenter: Segmenter, mapping: ClassMapping | None = None,
) -> Session:
    """Return a session without warm-up: each frame by itself, frozen from the first on."""
    none = dataclasses.replace(settings.warm_up, unit='frames', amount=0.0)
    return Session(dataclasses.replace(settings, warm_up=none), segmenter, None, mapping)
