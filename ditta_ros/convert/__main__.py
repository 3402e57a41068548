"""``ros2 run ditta_ros convert IN OUT``: a SegFormer's .pth as a directory for segmenter.model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ditta_ros.convert.directory import write
from ditta_ros.convert.layouts import translate
from ditta_ros.convert.names import DATA_SETS, Classes, read_classes
from ditta_ros.convert.source import read_source
from ditta_ros.errors import ModelError

_PLAIN: dict[str, Any] = {'markup': False, 'highlight': False, 'soft_wrap': True}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 2 for input or output that does not work."""
    parser = argparse.ArgumentParser(
        prog='convert', description='Writes the SegFormer in a .pth file of NVlabs/SegFormer, of '
        'mmsegmentation or of the authors of DiTTA as a directory that segmenter.model takes, '
        "with the method's own layers where the file has them. The licence of the weights stays "
        'what it was.')
    parser.add_argument('file', metavar='IN', type=Path, help='.pth of tensors; no code is run')
    parser.add_argument('out', metavar='OUT', type=Path, help='directory, to be made')
    parser.add_argument(
        '--names', default='', metavar='NAMES', help=f'classes: {", ".join(DATA_SETS)} or a '
        'file: one name a line, a list in JSON, or as config/labels_vspw.yaml; default: those '
        'that IN names')
    parser.add_argument(
        '--prefix', help='of several models in IN, the one whose names have this before '
        '"backbone.", as "ema_model."')
    options = parser.parse_args(arguments)
    try:
        classes = read_classes(options.names) if options.names else Classes()
        source = read_source(options.file, options.prefix)
        translated = translate(source)
        write(source, translated, classes, options.out)
    except ModelError as error:
        Console(stderr=True).print(str(error), style='red', **_PLAIN)
        return 2
    console, left_out = Console(), [*source.left_out, *translated.unused]
    console.print(
        f'{options.out}: SegFormer of {translated.layout.title}, '
        f'{"with" if translated.add_on else "without"} add-on layers; set segmenter.model to it',
        **_PLAIN)
    if left_out:
        console.print(f'left out, no label needs them: {", ".join(left_out)}', **_PLAIN)
    return 0


if __name__ == '__main__':
    sys.exit(main())
