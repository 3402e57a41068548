"""Yaml files about classes: what files of labels, mappings and groups have in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ditta_ros.errors import printable
from ditta_ros.labels import LabelSet
from ditta_ros.plain_yaml import PlainYamlError, plain_text, plain_value


class ClassFileError(ValueError):
    """A file about classes breaks a rule: one line with the file, the rule and the remedy."""

    def __init__(self, text: str) -> None:
        """``text`` may repeat what the file says."""
        super().__init__(printable(text))


def read_mapping(what: str, path: str | Path, like: str) -> dict[Any, Any]:
    """Read a yaml file as a mapping; a key that is there twice is an error, not overwritten.

    ``what`` begins every error, ``like`` is a file to write it like.  Raises ClassFileError.
    """
    try:
        text = plain_text(path)
        entries = plain_value(text)
    except PlainYamlError as error:
        raise ClassFileError(
            f'{what} cannot be read ({error}): give a yaml file like {like}') from error
    repeated = next(_repeated(yaml.compose(text, yaml.SafeLoader)), None)
    if repeated is not None:
        raise ClassFileError(f'{what}: {repeated!r} is there twice: keep one of them')
    if not isinstance(entries, dict) or not entries:
        raise ClassFileError(
            f'{what} must be a mapping, got {type(entries).__name__}: write it like {like}')
    return entries


def _repeated(node: yaml.Node | None) -> Iterator[str]:
    """Yield the keys that a mapping, or one right in it, has twice."""
    if not isinstance(node, yaml.MappingNode):
        return
    for mapping in [node, *(value for _, value in node.value)]:
        if isinstance(mapping, yaml.MappingNode):
            keys = [key.value for key, _ in mapping.value]
            yield from (key for key in keys if keys.count(key) > 1)


def as_color(what: str, color: Any) -> np.ndarray:
    """Return [red, green, blue] of 0..255 as uint8 [3]; raises ClassFileError."""
    if not isinstance(color, list) or len(color) != 3 or not all(
            type(value) is int and 0 <= value <= 255 for value in color):
        raise ClassFileError(
            f'{what}: a color must be [red, green, blue] of 0..255, got {color!r}: correct it')
    return np.array(color, np.uint8)


def hint(name: str, names: Sequence[str]) -> str:
    """Say which of ``names`` were perhaps meant by ``name``, which is none of them."""
    folded = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower(), list(folded), 3)
    if near:
        return f'did you mean {" or ".join(folded[each] for each in near)}?'
    more = ', ...' if len(names) > 12 else ''
    return f'its classes are {", ".join(names[:12])}{more}'


def read_labels(path: str | Path) -> LabelSet:
    """Read a file of labels, ``config/labels_*.yaml``: names in index order, with their colours.

    Raises ClassFileError.
    """
    what = f'labels {path}'
    entries = read_mapping(what, path, 'config/labels_cityscapes.yaml')
    for name in entries:
        if not isinstance(name, str):
            raise ClassFileError(f'{what}: a name must be text, got {name!r}: put it in quotes')
    colors = [as_color(f'{what}: class {name!r}', color) for name, color in entries.items()]
    return LabelSet(tuple(entries), np.stack(colors))
