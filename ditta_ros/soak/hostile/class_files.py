"""Files of labels, groups and mappings: damaged text, and trees of other shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from ditta_ros.class_files import ClassFileError, read_labels
from ditta_ros.groups import Groups
from ditta_ros.labels import LabelSet, default_palette
from ditta_ros.mapping import ClassMapping
from ditta_ros.soak.hostile.damage import changed_tree, damaged
from ditta_ros.soak.hostile.refusal import Feed, refused

NAMES = ('road', 'sidewalk', 'grass', 'sky')
LABELS: dict[str, Any] = {'ground': [1, 2, 3], 'rest': [4, 5, 6], 'rider': [7, 8, 9]}
GROUPS: dict[str, Any] = {
    'drivable': {'classes': ['road'], 'color': [128, 64, 128]},
    'lethal': {'classes': ['sky', 'grass']}, 'rest': {'rest': True}}
MAPPING: dict[str, Any] = {
    'target': 'labels.yaml', 'classes': {'ground': ['road', 'grass'], 'rest': ['sky']},
    'truth': {'rider': 'rest'}}


def open_feed(folder: Path) -> Feed:
    """Open a feed of files; see the package."""
    path = folder / 'given.yaml'
    (folder / 'labels.yaml').write_text(yaml.safe_dump(LABELS))
    label_set = LabelSet(NAMES, default_palette(len(NAMES)))
    readers: tuple[tuple[dict[str, Any], Callable[[], object]], ...] = (
        (LABELS, lambda: read_labels(path)),
        (GROUPS, lambda: Groups.read(str(path), label_set)),
        (MAPPING, lambda: ClassMapping.load(path, NAMES)))

    def feed(random: Random) -> bool:
        good, read = random.choice(readers)
        path.write_bytes(damaged_yaml(random, good))
        try:
            read()
        except ClassFileError as error:
            return refused(error)
        return True

    return feed


def damaged_yaml(random: Random, good: Any) -> bytes:
    """Return the text of a tree that was changed, or text that was, or of a bomb."""
    kind = random.random()
    if kind < 0.02:
        return bomb(random)
    if kind < 0.6:
        for _ in range(random.randint(0, 3)):
            good = changed_tree(random, good)
        return yaml.safe_dump(good, sort_keys=False).encode(errors='surrogatepass')
    return damaged(random, yaml.safe_dump(good, sort_keys=False).encode())


def bomb(random: Random) -> bytes:
    """Return a few bytes that claim much: of aliases, depth, or digits."""
    lines = ['a0: &a0 [x, x]', *(
        f'a{level}: &a{level} [*a{level - 1}, *a{level - 1}]' for level in range(1, 40))]
    return random.choice((
        '\n'.join(lines), '[' * 20_000, '{a: ' * 20_000, '- ' * 5000, f'a: {"9" * 10_000}',
        'a: &a [*a]', '? ' * 3000, '"' + '\\x41' * 20_000, 'a: 2001-13-45',
        'a: !!binary "="', 'a: !!python/name:os.system')).encode()
