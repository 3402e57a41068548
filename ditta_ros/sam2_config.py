"""Reads SAM 2 style model yaml, and lets it name nothing but the parts of a SAM 2.

The yaml files of the sam2 package say in ``_target_`` what hydra's ``instantiate`` calls, so a
file from elsewhere could call anything.  sam2 is named here, not imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ditta_ros.errors import ModelError, one_line
from ditta_ros.plain_yaml import PlainYamlError, plain_text

IMAGE_SIZE_STEP_PX = 32
_SAID_LENGTH = 80

_BASE = 'sam2.modeling.sam2_base.SAM2Base'
# All that the yaml files of the sam2 package name in a model; nothing else is called.
TARGETS = frozenset({
    _BASE, *(f'sam2.modeling.{name}' for name in (
        'backbones.hieradet.Hiera', 'backbones.image_encoder.FpnNeck',
        'backbones.image_encoder.ImageEncoder', 'memory_attention.MemoryAttention',
        'memory_attention.MemoryAttentionLayer', 'memory_encoder.CXBlock',
        'memory_encoder.Fuser', 'memory_encoder.MaskDownSampler',
        'memory_encoder.MemoryEncoder', 'position_encoding.PositionEmbeddingSine',
        'sam.transformer.RoPEAttention'))})
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
    """Return the ``model`` node of a SAM 2 style yaml for hydra's ``instantiate``.

    A predictor becomes the plain ``SAM2Base``.  ``image_size_px`` is the side of the square
    input, a multiple of 32; 0: the configuration's.  Raises ModelError, in one line, unless the
    file is plain yaml (``plain_yaml``) without interpolations, and every ``_target_`` is one of
    ``TARGETS``.
    """
    if image_size_px % IMAGE_SIZE_STEP_PX:
        raise ModelError(
            f'tracker.image_size_px must be a multiple of {IMAGE_SIZE_STEP_PX}, got '
            f'{image_size_px}: its position grid is tiled by windows')
    node = _model_node(config)
    _check_entries(config, node)
    if node.get('_target_') != _BASE:
        raise ModelError(
            f'tracker.config {config} must describe a {_BASE}, got {_said(node.get("_target_"))}')
    if image_size_px:
        node['image_size'] = image_size_px
    return OmegaConf.create(
        {key: value for key, value in node.items() if key not in _PREDICTOR_KEYS})


def _model_node(config: Path) -> dict[Any, Any]:
    """Return the ``model`` node as it is written, a predictor made the plain model."""
    try:
        tree = OmegaConf.to_container(OmegaConf.create(plain_text(config)))
    # The last two, of OmegaConf: an integer of thousands of digits, a file that holds one value.
    except (PlainYamlError, YAMLError, OmegaConfBaseException, ValueError,
            AssertionError) as error:
        raise ModelError(f'tracker.config {config} cannot be read: {one_line(error)}') from error
    node = tree.get('model') if isinstance(tree, dict) else None
    if not isinstance(node, dict):
        raise ModelError(
            f'tracker.config {config} must have a `model` node, got none: take one of the yaml '
            'files that the sam2 package brings in configs/')
    if node.get('_target_') in _PREDICTORS:
        node['_target_'] = _BASE
    return node


def _check_entries(config: Path, node: dict[Any, Any]) -> None:
    """Refuse what instantiate() must not see: it calls what a ``_target_`` names."""
    for key, value in _entries(node):
        if key == '_target_' and value not in TARGETS:
            raise ModelError(
                f'tracker.config {config} may name only network classes of sam2.modeling in '
                f'_target_, got {_said(value)}')
        if key == 'weights_path':
            raise ModelError(
                f'tracker.config {config} must not have a weights_path, got {_said(value)}: '
                'weights come from tracker.checkpoint')
        if key != '_target_' and str(key).startswith('_'):
            raise ModelError(
                f'tracker.config {config} may have no directive for hydra but _target_, got '
                f'{_said(key)}: leave it out')
        # A few of them that name one another are a text of gigabytes; others read the environment.
        if any('${' in text for text in (key, value) if isinstance(text, str)):
            raise ModelError(
                f'tracker.config {config} may have no interpolation, got {_said(value)}: write '
                'the value out')


def _entries(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every key and value of a tree of dicts and lists; the keys of a list are ''."""
    pairs = list(node.items()) if isinstance(node, dict) else [('', value) for value in node]
    for key, value in pairs:
        if isinstance(value, (dict, list)):
            yield key, None if key != '_target_' else repr(value)
            yield from _entries(value)
        else:
            yield key, value


def _said(value: Any) -> str:
    """Return a value as an error repeats it: of its beginning, in one line."""
    return repr(value)[:_SAID_LENGTH]
