"""The yaml and the weights of the SAM 2 to measure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from ditta_ros.bench.options import OptionError, Options
from ditta_ros.tracker import EMBEDDED_MODEL


@dataclass(frozen=True)
class TrackerFiles:
    """What a SAM 2 is built from; no checkpoint: random weights."""

    config: Path
    checkpoint: Path | None
    title: str


def find_all(options: Options) -> list[TrackerFiles]:
    """Return the files of every SAM 2 that the options name; raises OptionError."""
    return [find(replace(options, tracker_config=config.strip()))
            for config in options.tracker_config.split(',')]


def find(options: Options) -> TrackerFiles:
    """Return the files of the one SAM 2 that the options name; raises OptionError."""
    if not options.tracker_config:
        return TrackerFiles(
            EMBEDDED_MODEL / 'model.yaml', EMBEDDED_MODEL / 'model.safetensors', 'embedded')
    given = Path(options.tracker_config)
    checkpoint = Path(options.tracker_checkpoint) if options.tracker_checkpoint else None
    if checkpoint is not None and not checkpoint.is_file():
        raise OptionError(f'--tracker-checkpoint must be a file, got {str(checkpoint)!r}')
    named = {path.name: path for folder in ('sam2', 'sam2.1')
             for path in sorted((_configs() / folder).glob('*.yaml'))}
    config = given if given.is_file() else named.get(given.name)
    if config is None:
        raise OptionError(
            f'--tracker-config must be a file or one of {", ".join(named)}, got {str(given)!r}')
    return TrackerFiles(config, checkpoint, config.stem)


def _configs() -> Path:
    spec = find_spec('sam2')
    if spec is None or spec.origin is None:
        raise OptionError('--tracker-config by name needs the sam2 package, got none: give a file')
    return Path(spec.origin).parent / 'configs'
