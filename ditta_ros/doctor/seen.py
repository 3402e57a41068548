"""What ``ros.survey`` sees of the network, as it is handed on from its process to the doctor's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Endpoint:
    """A publisher or a subscription of a topic."""

    node: str  # with its namespace
    reliability: str  # reliable, best_effort, ...
    durability: str  # volatile, transient_local, ...
    refuses: str = ''  # of a subscription: a publisher that it cannot hear, and why

    def __str__(self) -> str:
        return f'{self.node} ({self.reliability}, {self.durability})'


@dataclass(frozen=True)
class ImageTopic:
    """A topic of images and what came of it while the survey listened."""

    name: str
    type: str  # Image or CompressedImage
    publishers: tuple[Endpoint, ...]
    subscriptions: tuple[Endpoint, ...]
    listened_s: float = 0.0  # 0: not listened to
    images: int = 0
    rate_hz: float | None = None  # None: with fewer than two images
    kind: str = ''  # size and encoding of the first: 1920x1080 bgr8


def to_json(topics: Sequence[ImageTopic]) -> str:
    """Return the topics as one line."""
    return json.dumps([asdict(topic) for topic in topics])


def from_json(text: str) -> list[ImageTopic]:
    """Read what ``to_json`` wrote."""
    topics = []
    for item in json.loads(text):
        for ends in ('publishers', 'subscriptions'):
            item[ends] = tuple(Endpoint(**each) for each in item[ends])
        topics.append(ImageTopic(**item))
    return topics
