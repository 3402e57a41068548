"""A model's classes as those of another data set, to evaluate it there.

A file of mappings (``config/mapping_*.yaml``) names the target's classes, by a file of labels
beside it or anywhere, and for each of them the model's classes, the source, that are in it:

    target: labels_cityscapes.yaml
    classes:
      road: [road]
      vegetation: [tree, flower]
    truth: {rider: person}

Logits of the source classes of a target class are merged by their maximum, before anything is
decided, so that reliabilities are of the target classes.  Source classes that nothing lists are
dropped: they compete no more.  Target classes that list nothing are never predicted, and not
evaluated.  ``truth``: target classes whose true pixels count as another class.

A file of groups (``groups``) is for a robot and not for a comparison: it renames labels that are
decided already, its own names are the classes, and what it does not list is unlabelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_ros.class_files import ClassFileError, hint, read_labels, read_mapping
from ditta_ros.labels import UNLABELLED, LabelSet

KEYS = ('target', 'classes', 'truth')
LIKE = 'config/mapping_vspw_to_cityscapes.yaml'
# Logit of a class that is never predicted; its probability is 0 in every float type.  Not -inf,
# which bilinear weights of 0 make NaN.
NEVER = -1e4


@dataclass(frozen=True, eq=False)
class ClassMapping:
    """From C source classes to C' target classes, ``label_set``.

    ``target_of``: int64 [C], the target class of each source class, C' for those that have none.
    ``evaluated``: bool [C'], whether a target class can be predicted.
    ``truth_table``: uint8 [256], the target class as which a true label counts.
    """

    label_set: LabelSet
    target_of: Tensor
    evaluated: np.ndarray
    truth_table: np.ndarray

    @classmethod
    def load(cls, path: str | Path, source_names: Sequence[str]) -> ClassMapping:
        """Read the file ``path`` for a model whose classes are ``source_names``.

        Raises ClassFileError.
        """
        what = f'mapping {path}'
        entries = read_mapping(what, path, LIKE)
        if not set(entries) <= set(KEYS) or 'target' not in entries or 'classes' not in entries:
            raise ClassFileError(
                f'{what} must have the keys target and classes and may have truth, got '
                f'{", ".join(map(str, entries))}: write it like {LIKE}')
        label_set = _target(what, path, entries['target'])
        target_of = _target_of(what, entries['classes'], tuple(source_names), label_set.names)
        evaluated = np.isin(np.arange(len(label_set)), target_of)
        table = np.arange(256, dtype=np.uint8)
        table[:len(label_set)][~evaluated] = UNLABELLED
        for name, other in _merges(what, entries.get('truth', {}), label_set, evaluated):
            table[name] = other
        return cls(label_set, torch.from_numpy(target_of), evaluated, table)

    def merge(self, logits: Tensor, dim: int = -1) -> Tensor:
        """Return the logits of the target classes along ``dim``, where the source's are.

        ``NEVER`` for those that are not evaluated.
        """
        if logits.shape[dim] != len(self.target_of):
            raise ValueError(
                f'logits must have {len(self.target_of)} classes along dim {dim}, got '
                f'{list(logits.shape)}: load the mapping for this model')
        size = list(logits.shape)
        size[dim] = len(self.label_set) + 1  # the last takes what is dropped
        merged = logits.new_full(size, NEVER)
        view = [1] * logits.ndim
        view[dim] = -1
        index = self.target_of.to(logits.device).view(view).expand_as(logits)
        merged = merged.scatter_reduce(dim, index, logits, 'amax')
        return merged.narrow(dim, 0, len(self.label_set))

    def truth(self, label: np.ndarray) -> np.ndarray:
        """Return true labels, uint8 [H, W] of the target, as they count: 255 where they do not."""
        return self.truth_table[label]


def _target(what: str, path: str | Path, file: Any) -> LabelSet:
    if not isinstance(file, str):
        raise ClassFileError(
            f'{what}: target must be the path of a file of labels, got {file!r}: write it like '
            f'{LIKE}')
    label_set = read_labels(Path(path).parent / file)  # absolute paths stay as they are
    if len(label_set) > UNLABELLED:
        raise ClassFileError(
            f'{what}: a target has at most {UNLABELLED} classes, got {len(label_set)}: true '
            'labels have 8 bit')
    return label_set


def _target_of(
    what: str, classes: Any, sources: tuple[str, ...], targets: tuple[str, ...],
) -> np.ndarray:
    if not isinstance(classes, dict) or not classes:
        raise ClassFileError(
            f'{what}: classes must map target classes to lists of source classes, got '
            f'{classes!r}: write it like {LIKE}')
    first: dict[str, str] = {}
    for target, names in classes.items():
        _check(what, target, targets, 'target')
        if not isinstance(names, list) or not names:
            raise ClassFileError(
                f'{what}: class {target!r} must be a list of source classes, got {names!r}: '
                'leave it out if it has none')
        for name in names:
            _check(f'{what}: class {target!r}', name, sources, 'source')
            if name in first:
                raise ClassFileError(
                    f'{what}: source class {name!r} must be in one target class, got '
                    f'{first[name]!r} and {target!r}: keep one of them')
            first[name] = target
    return np.array([
        targets.index(first[name]) if name in first else len(targets) for name in sources])


def _merges(
    what: str, truth: Any, label_set: LabelSet, evaluated: np.ndarray,
) -> list[tuple[int, int]]:
    """Return pairs of target classes: whose truth counts, and as what."""
    if not isinstance(truth, dict):
        raise ClassFileError(
            f'{what}: truth must map target classes to target classes, got {truth!r}: write it '
            f'like {LIKE}')
    pairs = []
    for name, other in truth.items():
        for each in (name, other):
            _check(f'{what}: truth', each, label_set.names, 'target')
        index, into = label_set.names.index(name), label_set.names.index(other)
        if evaluated[index] or not evaluated[into]:
            raise ClassFileError(
                f'{what}: truth: a class without source classes must count as one with them, got '
                f'{name!r} as {other!r}: correct one of them')
        pairs.append((index, into))
    return pairs


def _check(what: str, name: Any, names: tuple[str, ...], kind: str) -> None:
    if not isinstance(name, str):
        raise ClassFileError(f'{what}: a name must be text, got {name!r}: put it in quotes')
    if name not in names:
        raise ClassFileError(
            f'{what}: {name!r} is no class of the {kind}: {hint(name, names)}')
