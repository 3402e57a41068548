"""Where an adapted head comes from: base model, classes, settings, frames and steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from ditta_ros.colours import Colours
from ditta_ros.lessons import Progress
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings, to_flat


@dataclass(frozen=True)
class Provenance:
    """Where an adapted head comes from, in JSON's types."""

    base_sha256: str  # of the segmenter that was adapted, see base_hash
    classes: list[str]  # in index order
    settings: dict[str, Any]  # by dotted name
    frames: int  # that it learnt from
    objects: int
    first_stamp_ns: int | None  # of those frames
    last_stamp_ns: int | None
    steps: int  # of the optimiser
    losses: dict[str, float]  # of the last step
    created_utc: str  # when it had learnt, ISO 8601
    version: str  # of ditta_ros
    # The stream's, which are taken to those of the segmenter's training; None: its own are kept.
    colours: dict[str, list[float]] | None = None

    @classmethod
    def of(
        cls, base_sha256: str, classes: tuple[str, ...], settings: Settings, progress: Progress,
        colours: Colours | None = None,
    ) -> Provenance:
        """Describe a head that has learnt just now."""
        return cls(
            base_sha256, list(classes), to_flat(settings), progress.frames, progress.objects,
            progress.first_stamp_ns, progress.last_stamp_ns, progress.steps,
            dict(vars(progress.losses)) if progress.losses else {},
            datetime.now(timezone.utc).isoformat(timespec='seconds'), installed_version(),
            None if colours is None else {
                'mean': list(colours.mean), 'std': list(colours.std)})

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read what ``to_json`` wrote; raises ValueError or TypeError for anything else."""
        read = cls(**json.loads(text))
        texts = [read.base_sha256, *read.classes]
        if not isinstance(read.classes, list) or not all(isinstance(item, str) for item in texts):
            raise TypeError(f'base_sha256 and classes must be text, got {texts}')
        read.seen_colours()
        return read

    def seen_colours(self) -> Colours | None:
        """Return the stream's colours; raises ValueError or TypeError where they are none."""
        return None if self.colours is None else Colours(**self.colours)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Return one line of text, the same for the same provenance."""
        return json.dumps(asdict(self), sort_keys=True)


def base_hash(segmenter: Segmenter) -> str:
    """Return the sha256, in hex, of what an adapted head depends on.

    That is the backbone, its normalisation and the head that it learnt from, without the
    add-on and projection layers, which ``adaptation.seed`` may draw.
    """
    learned = segmenter.head.learned_layers()
    head = {name: value for name, value in segmenter.head.state_dict().items()
            if name not in learned}
    return digest({
        **{f'backbone.{name}': value for name, value in segmenter.backbone.state_dict().items()},
        **{f'head.{name}': value for name, value in head.items()},
        'mean': segmenter.mean, 'std': segmenter.std})


def digest(state: Mapping[str, Tensor], text: str = '') -> str:
    """Return the sha256, in hex, of a text and of tensors with their names, dtypes and shapes.

    The order of the tensors and their device do not matter.
    """
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        sha256.update(f'\n{name} {value.dtype} {list(value.shape)}\n'.encode())
        sha256.update(value.flatten().view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def installed_version() -> str:
    """Return the version of ditta_ros; 'unknown' where it runs without being installed."""
    try:
        return version('ditta_ros')
    except PackageNotFoundError:
        return 'unknown'
