"""The files of a SegFormer: found by name, read, and checked before anything is built on them.

A directory holds config.json, model.safetensors (or pytorch_model.bin, of which tensors alone are
read), and where the model has them preprocessor_config.json and ``add_on.safetensors``: the
layers of the method, which ``convert`` writes beside a SegFormer that was trained with them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import SegformerConfig, SegformerForSemanticSegmentation
from transformers.utils import logging as transformers_logging

from ditta_ros.colours import Colours
from ditta_ros.errors import ModelError, one_line
from ditta_ros.frame import SMALLEST_SIDE_PX
from ditta_ros.hub import HubError, HubModel, is_hub_id, segformer_files
from ditta_ros.settings import SegmenterSettings

REMEDY = (
    'give a directory with the config.json and model.safetensors of a SegFormer segmenter, or the '
    'Hugging Face id of one')
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ADD_ON = 'add_on.safetensors'
# In config.json, of what ``convert`` wrote: transformers builds every layer norm with 1e-5.
NORM_EPS = 'ditta_layer_norm_eps'
COLOURS = 'ditta_training_colours'
BILINEAR = 2  # as PIL numbers it


ModelSize = tuple[int, int] | int | None
"""What an image processor resizes to: height and width, or the shorter side, or nothing."""


class Processing(NamedTuple):
    """What is done to RGB in 0..1: resize, subtract ``mean``, divide by ``std``."""

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    size: ModelSize = None


def find_segmenter(settings: SegmenterSettings) -> Path:
    """Return the directory of ``settings.model``, downloaded where it may be; raises ModelError.

    A name that is neither a directory nor has the form owner/repository comes back as a path.
    """
    if not is_hub_id(settings.model):
        return Path(settings.model).expanduser()
    hub = HubModel(settings.model, settings.revision, settings.cache_dir, settings.offline)
    try:
        return segformer_files(hub)[0].parent
    except HubError as error:
        raise ModelError(
            f'segmenter.model {settings.model!r} cannot be loaded: {error}') from error


def load_network(directory: Path) -> SegformerForSemanticSegmentation:
    """Read configuration and weights; a missing weight is an error, not a random layer.

    Raises ModelError where the directory does not hold a whole SegFormer segmenter.
    """
    name = f'segmenter.model {str(directory)!r}'
    kind = _read_json(directory / 'config.json').get('model_type')
    if kind != 'segformer':
        raise ModelError(f'{name} must be a SegFormer, got model_type {kind!r}: {REMEDY}')
    transformers_logging.disable_progress_bar()  # a bar per load would fill the node's log
    try:
        config = SegformerConfig.from_pretrained(directory, local_files_only=True)
        network, report = SegformerForSemanticSegmentation.from_pretrained(
            directory, config=config, local_files_only=True, output_loading_info=True,
            weights_only=True)
    # What transformers and its file formats raise for files that are absent, broken or do not fit.
    except (LookupError, OSError, RuntimeError, ValueError, StrictDataclassError, SafetensorError,
            UnpicklingError) as error:
        raise ModelError(f'{name} cannot be loaded ({one_line(error)}): {REMEDY}') from error
    if config.num_encoder_blocks != 4 or not config.reshape_last_stage:
        raise ModelError(
            f'{name} must have four stages and reshape the last one, got '
            f'num_encoder_blocks {config.num_encoder_blocks} and '
            f'reshape_last_stage {config.reshape_last_stage}: {REMEDY}')
    missing = sorted(report['missing_keys'])
    if missing:
        raise ModelError(
            f'{name} lacks {len(missing)} weights, {missing[0]} first (an image classifier has no '
            f'decode head): {REMEDY}')
    set_norm_eps(network, getattr(config, NORM_EPS, {}))
    return network


def set_norm_eps(network: nn.Module, eps: dict[str, float]) -> None:
    """Give the layer norms the eps that they were trained with, where the configuration says it.

    ``eps`` has 'patch_embeddings', 'attention' (of the reduced keys) and 'block' (all others).
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.LayerNorm):
            place = next((part for part in ('patch_embeddings', 'attention') if part in name),
                         'block')
            module.eps = eps.get(place, module.eps)


def read_processing(directory: Path, resizes: bool = False) -> Processing:
    """Return what the model's image processor does to an image; without one: ImageNet's.

    ``resizes`` False: its size is not read.  Its do_reduce_labels is about the labels of a
    training set, and changes no prediction.  Raises ModelError.
    """
    file = directory / 'preprocessor_config.json'
    if not file.is_file():
        return Processing()
    values = _read_json(file)
    size = _size(file, values) if resizes and values.get('do_resize', True) else None
    if not values.get('do_normalize', True):
        return Processing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), size)
    mean = values.get('image_mean', IMAGENET_MEAN)
    std = values.get('image_std', IMAGENET_STD)
    if np.shape(mean) != (3,) or np.shape(std) != (3,) or min(std) <= 0:
        raise ModelError(
            f'image_mean and image_std must be three numbers each, the latter above 0, got {mean} '
            f'and {std}: correct {str(file)!r} of segmenter.model')
    # 1 where pixels are rescaled to 0..1 first, as they nearly always are.
    unit = 255 * (values.get('rescale_factor', 1 / 255) if values.get('do_rescale', True) else 1)
    return Processing([value / unit for value in mean], [value / unit for value in std], size)


def read_colours(directory: Path, config: Any) -> Colours | None:
    """Return the colours of the pictures that a model was trained on, where its config.json says.

    Its key ``COLOURS`` holds ``mean`` and ``std`` of R, G and B in 0..1, as ``Colours`` defines
    them.  Raises ModelError.
    """
    values = getattr(config, COLOURS, None)
    if values is None:
        return None
    try:
        return Colours(values['mean'], values['std'])
    except (LookupError, TypeError, ValueError) as error:
        raise ModelError(
            f'{COLOURS} must hold mean and std of three numbers each, got {values} '
            f'({one_line(error)}): correct {str(directory / "config.json")!r} of '
            'segmenter.model') from error


def input_size_px(frame_size_px: tuple[int, int], size: ModelSize) -> tuple[int, int]:
    """Return the size (H, W) that a frame of ``frame_size_px`` (H, W) is resized to."""
    if size is None:
        return frame_size_px
    if isinstance(size, tuple):
        return size
    scale = size / min(frame_size_px)
    height, width = (
        size if side == min(frame_size_px) else int(side * scale) for side in frame_size_px)
    return height, width


def read_add_on(directory: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the layers in ``add_on.safetensors``, some or all of ``expected``; {} without it.

    Raises ModelError unless they are whole layers of the head, by name and shape.
    """
    file = directory / ADD_ON
    if not file.is_file():
        return {}
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f'segmenter.model: {str(file)!r} cannot be read ({one_line(error)}): convert the '
            'model again, or remove the file') from error
    layers = {name.split('.')[0] for name in state}
    wanted = {name: list(value.shape) for name, value in expected.items()
              if name.split('.')[0] in layers}
    given = {name: list(value.shape) for name, value in state.items()}
    if given != wanted:
        wrong = next(name for name in sorted({*given, *wanted})
                     if given.get(name) != wanted.get(name))
        raise ModelError(
            f'segmenter.model: {str(file)!r} must fit the decode head, got {wrong} '
            f'{given.get(wrong, "not at all")} for {wanted.get(wrong, "nothing")}: convert the '
            'model again, or remove the file')
    return state


def _size(file: Path, values: dict[str, Any]) -> ModelSize:
    size = values.get('size', 512)  # transformers' default for SegFormer
    if values.get('resample', BILINEAR) != BILINEAR:
        raise ModelError(
            f'resample must be {BILINEAR} (bilinear), got {values["resample"]!r}: correct '
            f"{str(file)!r}, or set segmenter.input_size to 'camera'")
    if isinstance(size, int):
        size = {'height': size, 'width': size}
    known = {'height', 'width'}, {'shortest_edge'}
    if not isinstance(size, dict) or set(size) not in known or not all(
            isinstance(side, int) and side >= SMALLEST_SIDE_PX for side in size.values()):
        raise ModelError(
            f'size must be height and width, or shortest_edge, of {SMALLEST_SIDE_PX} px at '
            f"least, got {size}: correct {str(file)!r}, or set segmenter.input_size to 'camera'")
    return size['shortest_edge'] if 'shortest_edge' in size else (size['height'], size['width'])


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text())
        if not isinstance(values, dict):
            raise TypeError(f'it must hold names and values, got {type(values).__name__}')
    except (OSError, RecursionError, TypeError, ValueError) as error:
        raise ModelError(
            f'segmenter.model {str(file.parent)!r} has no readable {file.name} '
            f'({one_line(error)}): {REMEDY}') from error
    return values
