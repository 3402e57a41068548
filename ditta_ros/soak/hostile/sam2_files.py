"""SAM 2 style yaml: what it may name is a closed list, however it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml
from omegaconf import OmegaConf

from ditta_ros.errors import ModelError
from ditta_ros.sam2_config import TARGETS, read_config
from ditta_ros.soak.hostile.class_files import damaged_yaml
from ditta_ros.soak.hostile.damage import changed_tree
from ditta_ros.soak.hostile.refusal import Feed, WrongAnswerError, refused
from ditta_ros.tracker import EMBEDDED_MODEL

CALLS = (
    'os.system', 'builtins.eval', 'subprocess.run', 'torch.load', 'torch.hub.load',
    'sam2.modeling.sam2_base.torch.load', 'sam2.build_sam.build_sam2', 'hydra.utils.instantiate',
    '${oc.env:HOME}', '', 'sam2.modeling.', *sorted(TARGETS))


def open_feed(folder: Path) -> Feed:
    """Open a feed of files; see the package."""
    path = folder / 'model.yaml'
    good = yaml.safe_load((EMBEDDED_MODEL / 'model.yaml').read_text())

    def feed(random: Random) -> bool:
        tree = _named_anew(random, good) if random.random() < 0.5 else good
        path.write_bytes(damaged_yaml(random, tree))
        try:
            node = OmegaConf.to_container(read_config(path))
        except ModelError as error:
            return refused(error)
        if not set(_targets(node)) <= TARGETS:
            raise WrongAnswerError(f'a yaml may call {set(_targets(node)) - TARGETS}')
        return True

    return feed


def _named_anew(random: Random, tree: Any) -> Any:
    """Return the tree with something else to be called in one place, or more in it."""
    if not isinstance(tree, dict):
        return tree
    copied, keys = dict(tree), [key for key, value in tree.items() if isinstance(value, dict)]
    if keys and random.random() < 0.7:
        key = random.choice(keys)
        return copied | {key: _named_anew(random, copied[key])}
    return copied | {random.choice(('_target_', '_args_', '_partial_', '_recursive_', 'more')): (
        random.choice((random.choice(CALLS), {'_target_': random.choice(CALLS)},
                       changed_tree(random, tree))))}


def _targets(node: Any) -> Iterator[str]:
    """Yield what ``instantiate`` would call, of the tree as it is resolved."""
    if isinstance(node, dict):
        yield from (str(node[key]) for key in node if key == '_target_')
    if isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _targets(child)
