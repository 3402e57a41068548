"""Groups of classes: a model's many, merged into the few that a costmap needs.

A file of groups (``config/groups_*.yaml``) maps the name of each group to what is in it:

    drivable: {classes: [road, floor], color: [128, 64, 128]}
    obstacle: {rest: true}

Groups are numbered in the file's order.  The classes that no group lists go to the group with
``rest: true``, and are unlabelled where there is none.  Without ``color`` a group gets one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from ditta_ros.errors import one_line
from ditta_ros.labels import LabelSet, default_palette, label_dtype

KEYS = ('classes', 'color', 'rest')


class GroupsError(ValueError):
    """A file of groups breaks a rule: one line with the parameter, the file and the remedy."""


@dataclass(frozen=True, eq=False)
class Groups:
    """What is published of a model's classes: the groups' own names, colours and labels.

    ``table`` holds the group of every class, and of unlabelled; None leaves labels as they are.
    """

    label_set: LabelSet
    table: Tensor | None  # [256] or [65536], in the dtype of the groups' labels

    @classmethod
    def read(cls, path: str, label_set: LabelSet, device: torch.device | str = 'cpu') -> Groups:
        """Read the file ``path`` for a model's ``label_set``; '' leaves its classes as they are.

        ``device`` is that of the labels.  Raises GroupsError.
        """
        if not path:
            return cls(label_set, None)
        entries = _load(path)
        groups = [_group(f'groups {path}: group {name!r}', name, entry, number)
                  for number, (name, entry) in enumerate(entries.items())]
        grouped = LabelSet(
            tuple(group.name for group in groups), np.stack([group.color for group in groups]))
        number_of = _members(path, groups, label_set)
        table = torch.full(
            (label_set.unlabelled + 1,), grouped.unlabelled, dtype=label_dtype(len(grouped)))
        for class_id, name in enumerate(label_set.names):
            table[class_id] = number_of.get(name, grouped.unlabelled)
        return cls(grouped, table.to(device))

    def apply(self, label: Tensor) -> Tensor:
        """Return the groups [H, W] of a label map [H, W] of the model's classes."""
        if self.table is None:
            return label
        # Eight times as fast as self.table[label.long()].
        return self.table.index_select(0, label.flatten().int()).view(label.shape)


@dataclass(frozen=True, eq=False)
class _Group:
    name: str
    classes: tuple[str, ...]
    color: np.ndarray  # uint8 [3], RGB
    rest: bool


def _load(path: str) -> dict[Any, Any]:
    """Read the file as a mapping; a key that is there twice is an error, not overwritten."""
    try:
        text = Path(path).read_text(encoding='utf-8')
        repeated = next(_repeated(yaml.compose(text, yaml.SafeLoader)), None)
        entries = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise GroupsError(
            f'groups {path} cannot be read ({one_line(error)}): give a yaml file like '
            'config/groups_demo.yaml') from error
    if repeated is not None:
        raise GroupsError(f'groups {path}: {repeated!r} is there twice: keep one of them')
    if not isinstance(entries, dict) or not entries:
        raise GroupsError(
            f'groups {path} must map group names to their classes, got '
            f'{type(entries).__name__}: write it like config/groups_demo.yaml')
    return entries


def _repeated(node: yaml.Node | None) -> Iterator[str]:
    """Yield the keys that a mapping, or one right in it, has twice."""
    if not isinstance(node, yaml.MappingNode):
        return
    for mapping in [node, *(value for _, value in node.value)]:
        if isinstance(mapping, yaml.MappingNode):
            keys = [key.value for key, _ in mapping.value]
            yield from (key for key in keys if keys.count(key) > 1)


def _group(what: str, name: Any, entry: Any, number: int) -> _Group:
    """Check one entry of the file; ``what`` begins every error."""
    if not isinstance(name, str):
        raise GroupsError(f'{what}: a name must be text, got {name!r}: put it in quotes')
    if not isinstance(entry, dict) or not set(entry) <= set(KEYS):
        raise GroupsError(
            f'{what} must have no keys but {", ".join(KEYS)}, got {entry!r}: correct it')
    classes, rest = entry.get('classes', []), entry.get('rest', False)
    if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
        raise GroupsError(
            f'{what}: classes must be a list of names, got {classes!r}: put names like no and 1 '
            'in quotes')
    if not isinstance(rest, bool):
        raise GroupsError(f'{what}: rest must be true or false, got {rest!r}: correct it')
    if not classes and not rest:
        raise GroupsError(f'{what} must list classes or have rest: true, got neither: correct it')
    return _Group(name, tuple(classes), _color(what, entry.get('color'), number), rest)


def _color(what: str, color: Any, number: int) -> np.ndarray:
    if color is None:
        return default_palette(number + 1)[number]
    if not isinstance(color, list) or len(color) != 3 or not all(
            type(value) is int and 0 <= value <= 255 for value in color):
        raise GroupsError(
            f'{what}: color must be [red, green, blue] of 0..255, got {color!r}: correct it or '
            'leave it out')
    return np.array(color, np.uint8)


def _members(path: str, groups: list[_Group], label_set: LabelSet) -> dict[str, int]:
    """Return the group's number of every class that is in one."""
    number_of: dict[str, int] = {}
    for number, group in enumerate(groups):
        for name in group.classes:
            if name not in label_set.names:
                raise GroupsError(
                    f'groups {path}: group {group.name!r} lists {name!r}, which is no class of '
                    f'segmenter.model: {_hint(name, label_set.names)}')
            if name in number_of:
                raise GroupsError(
                    f'groups {path}: class {name!r} must be in one group, got '
                    f'{groups[number_of[name]].name!r} and {group.name!r}: keep one of them')
            number_of[name] = number
    rest = [number for number, group in enumerate(groups) if group.rest]
    if len(rest) > 1:
        names = ', '.join(repr(groups[number].name) for number in rest)
        raise GroupsError(
            f'groups {path}: one group at most takes the rest, got {names}: keep one of them')
    return dict.fromkeys(label_set.names, rest[0]) | number_of if rest else number_of


def _hint(name: str, names: tuple[str, ...]) -> str:
    """Say which classes were perhaps meant."""
    folded = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.lower(), list(folded), 3)
    if near:
        return f'did you mean {" or ".join(folded[each] for each in near)}?'
    more = ', ...' if len(names) > 12 else ''
    return f'its classes are {", ".join(names[:12])}{more}'
