"""Which yaml and which weights the tracker's parameters mean.

Meta gives each yaml of the sam2 package one file of weights, and each of these a model on the
Hugging Face hub: sam2.1_hiera_t.yaml, sam2.1_hiera_tiny.pt, facebook/sam2.1-hiera-tiny.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ditta_ros.errors import ModelError
from ditta_ros.hub import HubError, HubModel, is_hub_id
from ditta_ros.settings import TrackerSettings

_SIZES = {'tiny': 't', 'small': 's', 'base-plus': 'b+', 'large': 'l'}
_HUB_ID = re.compile(rf'facebook/(sam2(?:\.1)?)-hiera-({"|".join(_SIZES)})')
_FOLDERS = ('sam2', 'sam2.1')  # of sam2's configs, for inference


class Sam2Files(NamedTuple):
    """What a SAM 2 is built from: model yaml and weights that fit it."""

    config: Path
    checkpoint: Path


class Sam2Names(NamedTuple):
    """What Meta calls the files of one SAM 2."""

    config: str  # sam2.1_hiera_t.yaml
    checkpoint: str  # sam2.1_hiera_tiny.pt


def find_tracker(settings: TrackerSettings, embedded: Path) -> Sam2Files:
    """Return the files that ``settings`` name; without any: those in the folder ``embedded``.

    Raises ModelError.
    """
    if settings.model and (settings.config or settings.checkpoint):
        raise ModelError(
            'tracker.model stands alone, got it beside tracker.config and tracker.checkpoint: '
            f'{settings.model!r}, {settings.config!r}, {settings.checkpoint!r}: leave it out, or '
            'both of them')
    if bool(settings.config) != bool(settings.checkpoint):
        raise ModelError(
            'tracker.config and tracker.checkpoint belong together, got '
            f'{settings.config!r} and {settings.checkpoint!r}: set both, or neither for the '
            'embedded model')
    if settings.model:
        return _of_model(settings)
    if settings.config:
        return Sam2Files(find_config(settings.config), Path(settings.checkpoint))
    return Sam2Files(embedded / 'model.yaml', embedded / 'model.safetensors')


def find_config(config: str) -> Path:
    """Return the yaml file ``config``, or the one of the sam2 package with that name.

    A name that is neither comes back as it is.
    """
    path = Path(config)
    return path if path.exists() else sam2_configs().get(path.name, path)


def sam2_configs() -> dict[str, Path]:
    """Return the model yaml files that the sam2 package brings, by name; {} without it."""
    spec = find_spec('sam2')
    if spec is None or spec.origin is None:
        return {}
    configs = Path(spec.origin).parent / 'configs'
    return {path.name: path for folder in _FOLDERS
            for path in sorted((configs / folder).glob('*.yaml'))}


def names_of(hub_id: str) -> Sam2Names | None:
    """Return the names of the files of Meta's model ``hub_id``; None for any other."""
    match = _HUB_ID.fullmatch(hub_id)
    if match is None:
        return None
    version, size = match.groups()
    return Sam2Names(
        f'{version}_hiera_{_SIZES[size]}.yaml', f'{version}_hiera_{size.replace("-", "_")}.pt')


def hub_ids() -> list[str]:
    """Return every id that ``names_of`` knows."""
    return [f'facebook/{version}-hiera-{size}' for version in _FOLDERS for size in _SIZES]


def _of_model(settings: TrackerSettings) -> Sam2Files:
    name, path = settings.model, Path(settings.model)
    if path.is_dir():
        return _of_directory(path)
    names = names_of(name)
    if names is not None and is_hub_id(name):
        hub = HubModel(name, settings.revision, settings.cache_dir, settings.offline)
        try:
            return Sam2Files(find_config(names.config), hub.file(names.checkpoint))
        except HubError as error:
            raise ModelError(f'tracker.model {name!r} cannot be loaded: {error}') from error
    config = _config_of_weights(path)
    if config is not None:
        return Sam2Files(config, path)
    raise ModelError(
        f'tracker.model must be a directory, one of {", ".join(hub_ids())}, or weights named as '
        f'sam2.1_hiera_tiny.pt, got {name!r}: for others set tracker.config and '
        'tracker.checkpoint')


def _of_directory(folder: Path) -> Sam2Files:
    """Return the files in a folder: of Meta, by their names, or as the embedded model's."""
    for file in sorted(folder.glob('*.pt')):
        config = _config_of_weights(file)
        if config is not None:
            return Sam2Files(config, file)
    config, weights = folder / 'model.yaml', [
        file for file in (folder / 'model.safetensors', folder / 'model.pt') if file.is_file()]
    if not config.is_file() or not weights:
        raise ModelError(
            f'tracker.model {str(folder)!r} must hold weights named as sam2.1_hiera_tiny.pt, or '
            'model.yaml with model.safetensors or model.pt: put them there, or set '
            'tracker.config and tracker.checkpoint')
    return Sam2Files(config, weights[0])


def _config_of_weights(file: Path) -> Path | None:
    """Return the yaml of a file of weights that has kept its name; None for other names."""
    for hub_id in hub_ids():
        names = names_of(hub_id)
        if names is not None and names.checkpoint == file.name:
            return find_config(names.config)
    return None
