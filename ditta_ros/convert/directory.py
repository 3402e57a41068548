"""Writes a SegFormer as the directory that ``segmenter.model`` takes, whole or not at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor
from transformers import SegformerConfig

from ditta_ros.convert.layouts import Translated
from ditta_ros.convert.names import Classes
from ditta_ros.convert.shapes import network_of
from ditta_ros.convert.source import Source
from ditta_ros.errors import ModelError, one_line
from ditta_ros.segmenter import Segmenter
from ditta_ros.segmenter_files import ADD_ON, IMAGENET_MEAN, IMAGENET_STD, NORM_EPS


def write(source: Source, translated: Translated, given: Classes, out: Path) -> None:
    """Write ``translated`` to the directory ``out``, which must not exist yet.

    ``given`` are its classes, where they are not to be those that the source names.  What was
    written is loaded again before it is moved there.  Raises ModelError.
    """
    network = network_of(source.file, translated.state)
    classes = network.pop('num_labels')
    names, palette = given if given.names else source.classes
    if not names:
        raise ModelError(
            f'{source.file} does not name its {classes} classes: give --names')
    if len(names) != classes:
        raise ModelError(
            f'--names must name the {classes} classes of {source.file}, got {len(names)}: '
            f'{", ".join(names[:3])}, ...')
    if out.exists():
        raise ModelError(f'{out} must not exist yet, for nothing is written over: name another')
    config = SegformerConfig(
        **network, **({'palette': palette} if palette else {}), id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        architectures=['SegformerForSemanticSegmentation'], dtype='float32',
        **{NORM_EPS: dict(translated.layout.norm_eps)})
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f'.{out.name}.', dir=out.parent) as beside:
            folder = Path(beside) / 'model'
            config.save_pretrained(folder)
            _write_weights(folder, translated)
            _check(source, folder)
            folder.rename(out)
    except OSError as error:
        raise ModelError(
            f'{out} cannot be written ({one_line(error)}): name a folder that may be written '
            'to') from error


def _write_weights(folder: Path, translated: Translated) -> None:
    save_file(_plain(translated.state), folder / 'model.safetensors', {'format': 'pt'})
    if translated.add_on:
        save_file(_plain(translated.add_on), folder / ADD_ON)
    # Both projects subtract ImageNet's mean; sizes are those of training, not of a camera.
    (folder / 'preprocessor_config.json').write_text(json.dumps({
        'image_processor_type': 'SegformerImageProcessor', 'do_resize': False,
        'do_rescale': True, 'rescale_factor': 1 / 255, 'do_normalize': True,
        'image_mean': IMAGENET_MEAN, 'image_std': IMAGENET_STD, 'do_reduce_labels': False,
    }, indent=2) + '\n')


def _check(source: Source, folder: Path) -> None:
    """Load what was written: shapes that do not fit one another show there."""
    try:
        Segmenter.load(str(folder))
    except ModelError as error:
        raise ModelError(
            f'{source.file} does not make a whole SegFormer segmenter: {error}') from error


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as safetensors takes them: each with memory of its own."""
    return {name: value.detach().clone().contiguous() for name, value in state.items()}
