"""Class names from a file: of the data sets that SegFormers are published for, or a user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ditta_ros.config_files import config_file
from ditta_ros.errors import ModelError, one_line
from ditta_ros.plain_yaml import plain_text, plain_value

DATA_SETS = ('vspw', 'ade20k', 'cityscapes')
"""Those whose classes are in a config/labels_*.yaml, without the raw value 0 of their masks."""


class Classes(NamedTuple):
    """Class names in index order, and their RGB colours of 0..255; () where there are none."""

    names: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()


def read_classes(given: str) -> Classes:
    """Return the classes of a data set, or of a file: a name a line, or a list in yaml or JSON.

    A mapping is read as id2label, or as names with their colours where it has such.  Raises
    ModelError.
    """
    file = Path(given)
    try:
        if given in DATA_SETS:
            file = config_file(f'labels_{given}.yaml')
        # All JSON is yaml.
        listed = (plain_value(plain_text(file)) if file.suffix in ('.json', '.yaml', '.yml')
                  else file.read_text().splitlines())
    # ValueError: what is no text, and no plain yaml.
    except (OSError, ValueError) as error:
        raise ModelError(
            f'--names must be one of {", ".join(DATA_SETS)} or a file, got {given!r} '
            f'({one_line(error)})') from error
    palette = as_palette(list(listed.values()), len(listed)) if isinstance(listed, dict) else ()
    names = list(listed) if palette else _in_order(listed)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ModelError(
            f'--names {given} must have a class name for each index from 0, got '
            f'{type(listed).__name__} {str(listed)[:60]!r}: write one name a line')
    return Classes(tuple(name.strip() for name in names), palette)


def as_palette(colours: Any, count: int) -> tuple[tuple[int, int, int], ...]:
    """Return ``count`` RGB colours of 0..255; () for anything else."""
    palette = [tuple(colour) for colour in colours if isinstance(colour, (list, tuple))
               and len(colour) == 3 and all(value in range(256) for value in colour)
               ] if isinstance(colours, (list, tuple)) else []
    return tuple(palette) if len(palette) == count else ()


def _in_order(listed: Any) -> list[Any]:
    """Return the names of a list, or of a mapping by its indices from 0; [] for anything else."""
    if isinstance(listed, dict):
        by_index = {str(index): name for index, name in listed.items()}
        return [by_index.get(str(index)) for index in range(len(by_index))]
    return listed if isinstance(listed, list) else []
