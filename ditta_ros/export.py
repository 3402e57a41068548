"""``ros2 run ditta_ros export CHECKPOINT OUT.onnx``: the frozen, adapted network as ONNX.

``export_network`` says what goes in and what comes out, ``--help`` how it is asked for.  What is
written is compared with the labeller of the node, by onnxruntime, before the command ends well.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ditta_ros import checkpoint
from ditta_ros.errors import ModelError, one_line
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.export_check import AGREE, compare
from ditta_ros.export_network import AddOnNetwork, PlainNetwork, Size, example
from ditta_ros.frame import SMALLEST_SIDE_PX
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.provenance import base_hash, installed_version
from ditta_ros.segmenter import Head, Segmenter
from ditta_ros.settings import SettingError, Settings, from_flat

OPSET = 18  # TensorRT 10 and onnxruntime 1.14 read it, and later ones
NONE = 'none'
NEEDED, NEEDED_TO_CHECK = ('onnx', 'onnxscript'), 'onnxruntime'


class ExportError(ValueError):
    """What was asked for cannot be exported: one line with the rule, what came and the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Export: 0 where labels agree, 1 where they do not, 2 where it cannot be done."""
    options = _parser().parse_args(arguments)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    try:
        return run(options, console)
    except (ExportError, ModelError, SettingError) as error:
        console.print(str(error), style='red')
        return 2
    except KeyboardInterrupt:
        console.print('interrupted')
        return 130


def run(options: argparse.Namespace, console: Console) -> int:
    """Do what ``options`` ask for; raises ExportError, ModelError, SettingError."""
    _check(options)
    settings = from_flat(parse_overrides(options.overrides))
    segmenter = Segmenter.open(settings.segmenter, 'cpu', settings.adaptation.seed)
    encoder, head, origin = _model(options.checkpoint, segmenter)
    network = (
        AddOnNetwork(encoder, head, settings.tau) if options.add_on
        else PlainNetwork(encoder, head))
    with console.status(f'exporting {origin["model"]}'):
        write(options.out, network, options.size, options.dynamic, describe(
            segmenter, settings, origin))
    console.print(f'{options.out}: {summary(network, options)}, opset {OPSET}, '
                  f'{options.out.stat().st_size / 1e6:.1f} MB, {origin["model"]}')
    if not options.check:
        return 0
    labeller = TemporalLabeller(head) if options.add_on else IssLabeller(head)
    height, width = options.size
    sizes = [options.size, (2 * height - 1, width + 3)] if options.dynamic else [options.size]
    agreements = [
        compare(options.out, encoder, labeller, settings.tau, size_px) for size_px in sizes]
    for agreement in agreements:
        console.print(f'onnxruntime against torch: {agreement}')
    if all(agreement.good for agreement in agreements):
        return 0
    console.print(
        f'labels must be equal on {100 * AGREE:g} % of the pixels of every frame: do not use '
        'this file; export again with other versions of torch and onnxscript', style='red')
    return 1


def write(
    path: Path, network: PlainNetwork, size_px: Size, dynamic: bool, metadata: dict[str, str],
) -> None:
    """Write ``network`` for images of ``size_px`` (H, W), whole or not at all, with ``metadata``.

    ``dynamic``: H and W are free; for the plain network alone.  Raises ExportError.
    """
    free = {1: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC} if dynamic else None
    with torch.no_grad():
        program = torch.onnx.export(
            network.eval(), example(network, size_px), dynamo=True, opset_version=OPSET,
            input_names=list(network.inputs), output_names=list(network.outputs),
            dynamic_shapes=(free,) if dynamic else None, verbose=False,
            custom_translation_table={torch.ops.aten.amax.default: _largest})
    assert program is not None  # None is returned by the old exporter, which writes a file itself
    program.model.metadata_props.update(metadata)
    part = path.with_name(f'.{path.name}.part')
    try:
        program.save(part, external_data=False)
        part.replace(path)
    except OSError as error:
        raise ExportError(
            f'OUT {str(path)!r} cannot be written ({one_line(error)}): name a file in a folder '
            'that exists and may be written to') from error
    finally:
        part.unlink(missing_ok=True)


def describe(segmenter: Segmenter, settings: Settings, origin: dict[str, str]) -> dict[str, str]:
    """Return what the file says of itself, by the names of ONNX's metadata."""
    return {
        'ditta_ros.version': installed_version(),
        'ditta_ros.classes': json.dumps(segmenter.label_set.names),
        'ditta_ros.palette_rgb': json.dumps(segmenter.label_set.palette.tolist()),
        'ditta_ros.tau': f'{settings.tau:g}',
        'ditta_ros.base_sha256': base_hash(segmenter),
        **{f'ditta_ros.{name}': value for name, value in origin.items()},
    }


def summary(network: PlainNetwork, options: argparse.Namespace) -> str:
    """Return in words what goes in and what comes out."""
    height, width = options.size
    shape = 'any size' if options.dynamic else f'{height} px high x {width} px wide'
    return f'{", ".join(network.inputs)} -> {", ".join(network.outputs)}, {shape}'


def _largest(entropies: Any) -> Any:
    """Translate amax over all dimensions, which torch's exporter cannot yet."""
    from onnxscript import opset18
    return opset18.ReduceMax(entropies, keepdims=0)


def _model(name: str, segmenter: Segmenter) -> tuple[Segmenter, Head, dict[str, str]]:
    """Return what encodes, the head that ``name`` says, and where it comes from."""
    if name == NONE:
        return segmenter, segmenter.head, {'model': 'not adapted'}
    adapted = checkpoint.load(Path(name), segmenter, base_hash(segmenter))
    learnt = adapted.provenance
    return segmenter.recoloured(learnt.seen_colours()), adapted.head, {
        'model': f'adapted on {learnt.frames} frames, {learnt.steps} steps',
        'provenance': learnt.to_json()}


def _check(options: argparse.Namespace) -> None:
    """Refuse now what would fail after minutes."""
    needed = [*NEEDED, *([NEEDED_TO_CHECK] if options.check else [])]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        skip = ', or leave the check out by --no-check' if missing == [NEEDED_TO_CHECK] else ''
        raise ExportError(
            f'export needs {", ".join(needed)}, and {", ".join(missing)} cannot be imported: '
            f"pip install 'ditta_ros[export]'{skip}")
    if options.add_on and options.checkpoint == NONE:
        raise ExportError(
            '--add-on needs an adapted model, got CHECKPOINT none: the node, too, labels without '
            'the add-on until it has learnt; name a file that the service ~/save wrote')
    if options.add_on and options.dynamic:
        raise ExportError(
            "--dynamic is for the plain network, got --add-on too: the add-on's attention is cut "
            'into tiles of one size; export a file for each size')
    if not options.out.parent.is_dir() or options.out.suffix != '.onnx':
        raise ExportError(
            f'OUT must end in .onnx and be in a folder that exists, got {str(options.out)!r}: '
            'correct the path')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='export', description='Writes the network that labels when nothing is learnt any '
        'more as ONNX: rgb, uint8 [1, H, W, 3], to label, int32 [1, H, W], and reliability, '
        'float32 [1, H, W]. Normalisation and upsampling are in it.')
    add = parser.add_argument
    add('checkpoint', metavar='CHECKPOINT',
        help=f'an adapted decoder, as the service ~/save writes it; {NONE}: the model as it came')
    add('out', metavar='OUT', type=Path, help='the file to write, .onnx')
    add('--size', type=_size, default=(480, 640), metavar='HxW',
        help='height and width of the images, 480x640 where it is not given; what '
        'segmenter.max_side_px leaves of them, where that is set')
    add('--add-on', action='store_true',
        help='with the attention to the frame before: past_key and past_logits go in as well, '
        'zeros where there is none, and key and logits for the next frame come out')
    add('--dynamic', action='store_true',
        help='any height and width from 32 px on; without --add-on')
    add('--set', action='append', default=[], metavar='NAME=VALUE', dest='overrides',
        help='a parameter, as in config/ditta.yaml: segmenter.model, tau; may be repeated')
    add('--no-check', action='store_false', dest='check',
        help='do not compare with torch (the comparison needs onnxruntime)')
    return parser


def _size(text: str) -> Size:
    """Read HEIGHTxWIDTH; argparse tells the error."""
    sides = text.lower().split('x')
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise argparse.ArgumentTypeError(f'must be HEIGHTxWIDTH such as 480x640, got {text!r}')
    height, width = (int(side) for side in sides)
    if min(height, width) < SMALLEST_SIDE_PX:
        raise argparse.ArgumentTypeError(
            f'must be at least {SMALLEST_SIDE_PX} px a side, got {text!r}')
    return height, width


if __name__ == '__main__':
    sys.exit(main())
