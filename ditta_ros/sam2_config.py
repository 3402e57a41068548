"""Reads SAM 2 style model yaml, and lets it name nothing but sam2's network classes.

The yaml files of the sam2 package say in ``_target_`` what hydra's ``instantiate`` calls, so a
file from elsewhere could call anything.  sam2 is looked up by name here, not imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn
from yaml import YAMLError

from ditta_ros.errors import ModelError, one_line

IMAGE_SIZE_STEP_PX = 32

_BASE = 'sam2.modeling.sam2_base.SAM2Base'
_PREDICTORS = (
    'sam2.sam2_video_predictor.SAM2VideoPredictor',
    'sam2.sam2_video_predictor.SAM2VideoPredictorVOS',
)
_PREDICTOR_KEYS = (
    'fill_hole_area', 'non_overlap_masks', 'clear_non_cond_mem_around_input',
    'add_all_frames_to_correct_as_cond',
    # Acts between the objects of a batch; sam2's predictor has one object in each: no effect.
    'non_overlap_masks_for_mem_enc',
)


def read_config(config: Path, image_size_px: int = 0) -> Any:
    """Return the ``model`` node of a SAM 2 style yaml, resolved, for hydra's ``instantiate``.

    A predictor becomes the plain ``SAM2Base``.  ``image_size_px`` is the side of the square
    input, a multiple of 32; 0: the configuration's.  Raises ModelError, in one line, unless the
    file can be read and every ``_target_`` is a network class that sam2.modeling defines.
    """
    if image_size_px % IMAGE_SIZE_STEP_PX:
        raise ModelError(
            f'tracker.image_size_px must be a multiple of {IMAGE_SIZE_STEP_PX}, got '
            f'{image_size_px}: its position grid is tiled by windows')
    node = _model_node(config)
    _check_targets(config, node)
    if image_size_px:
        node['image_size'] = image_size_px
    return OmegaConf.create(
        {key: value for key, value in node.items() if key not in _PREDICTOR_KEYS})


def _model_node(config: Path) -> dict[Any, Any]:
    """Return the ``model`` node with references resolved, a predictor made the plain model."""
    try:
        tree = OmegaConf.to_container(OmegaConf.load(config), resolve=True)
    except (OSError, YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ModelError(f'tracker.config {config} cannot be read: {one_line(error)}') from error
    node = tree.get('model') if isinstance(tree, dict) else None
    if not isinstance(node, dict):
        raise ModelError(
            f'tracker.config {config} must have a `model` node, got none: take one of the yaml '
            'files that the sam2 package brings in configs/')
    if node.get('_target_') in _PREDICTORS:
        node['_target_'] = _BASE
    return node


def _check_targets(config: Path, node: dict[Any, Any]) -> None:
    """Refuse what instantiate() must not call: it calls whatever a ``_target_`` names."""
    for key, value in _entries(node):
        if key == '_target_' and not _is_sam2_module(value):
            raise ModelError(
                f'tracker.config {config} may name only network classes of sam2.modeling in '
                f'_target_, got {value!r}')
        if key == 'weights_path':
            raise ModelError(
                f'tracker.config {config} must not have a weights_path, got {value!r}: weights '
                'come from tracker.checkpoint')
    if node.get('_target_') != _BASE:
        raise ModelError(
            f'tracker.config {config} must describe a {_BASE}, got {node.get("_target_")!r}')


def _entries(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every key and value of a tree of dicts and lists."""
    if isinstance(node, dict):
        yield from node.items()
    if isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _entries(child)


def _is_sam2_module(target: Any) -> bool:
    """Whether ``target`` is a network class that a module of sam2.modeling defines.

    The prefix alone would let through what such a module imports (sam2.modeling.x.torch.hub.load).
    """
    module_name, _, name = str(target).rpartition('.')
    if not module_name.startswith('sam2.modeling.'):
        return False
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError:
        return False
    return (isinstance(found, type) and issubclass(found, nn.Module)
            and found.__module__ == module_name)
