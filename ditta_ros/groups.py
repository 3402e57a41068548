"""Groups of classes: a model's many, merged into the few that a costmap needs.

A file of groups (``config/groups_*.yaml``) maps the name of each group to what is in it:

    drivable: {classes: [road, floor], color: [128, 64, 128]}
    obstacle: {rest: true}

Groups are numbered in the file's order.  The classes that no group lists go to the group with
``rest: true``, and are unlabelled where there is none.  Without ``color`` a group gets one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_ros.class_files import ClassFileError, as_color, hint, read_mapping
from ditta_ros.labels import LabelSet, default_palette, label_dtype

KEYS = ('classes', 'color', 'rest')


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

        ``device`` is that of the labels.  Raises ClassFileError.
        """
        if not path:
            return cls(label_set, None)
        entries = read_mapping(f'groups {path}', path, 'config/groups_demo.yaml')
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


def _group(what: str, name: Any, entry: Any, number: int) -> _Group:
    """Check one entry of the file; ``what`` begins every error."""
    if not isinstance(name, str):
        raise ClassFileError(f'{what}: a name must be text, got {name!r}: put it in quotes')
    if not isinstance(entry, dict) or not set(entry) <= set(KEYS):
        raise ClassFileError(
            f'{what} must have no keys but {", ".join(KEYS)}, got {entry!r}: correct it')
    classes, rest = entry.get('classes', []), entry.get('rest', False)
    if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
        raise ClassFileError(
            f'{what}: classes must be a list of names, got {classes!r}: put names like no and 1 '
            'in quotes')
    if not isinstance(rest, bool):
        raise ClassFileError(f'{what}: rest must be true or false, got {rest!r}: correct it')
    if not classes and not rest:
        raise ClassFileError(
            f'{what} must list classes or have rest: true, got neither: correct it')
    given = entry.get('color')
    color = default_palette(number + 1)[number] if given is None else as_color(what, given)
    return _Group(name, tuple(classes), color, rest)


def _members(path: str, groups: list[_Group], label_set: LabelSet) -> dict[str, int]:
    """Return the group's number of every class that is in one."""
    number_of: dict[str, int] = {}
    for number, group in enumerate(groups):
        for name in group.classes:
            if name not in label_set.names:
                raise ClassFileError(
                    f'groups {path}: group {group.name!r} lists {name!r}, which is no class of '
                    f'segmenter.model: {hint(name, label_set.names)}')
            if name in number_of:
                raise ClassFileError(
                    f'groups {path}: class {name!r} must be in one group, got '
                    f'{groups[number_of[name]].name!r} and {group.name!r}: keep one of them')
            number_of[name] = number
    rest = [number for number, group in enumerate(groups) if group.rest]
    if len(rest) > 1:
        names = ', '.join(repr(groups[number].name) for number in rest)
        raise ClassFileError(
            f'groups {path}: one group at most takes the rest, got {names}: keep one of them')
    return dict.fromkeys(label_set.names, rest[0]) | number_of if rest else number_of
