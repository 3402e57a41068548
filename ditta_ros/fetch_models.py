"""``ros2 run ditta_ros fetch_models NAME...``: models into the cache, ahead of deployment.

What is fetched, and only that, is what ``segmenter.model`` and ``tracker.model`` read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ditta_ros.errors import one_line
from ditta_ros.hub import HubError, HubModel, is_hub_id, segformer_files
from ditta_ros.sam2_files import hub_ids, names_of

_PLAIN: dict[str, Any] = {'markup': False, 'highlight': False, 'soft_wrap': True}
_READ_BYTES = 2 ** 20


@dataclass(frozen=True)
class Fetched:
    """A file in the cache that is as the hub has it."""

    path: Path
    size_mb: float  # 1 MB = 1e6 bytes
    sha256: str


def fetch(model: HubModel) -> list[Fetched]:
    """Return the files that the segmenter or the tracker reads, fetched and checked.

    Raises HubError, also for a model that is neither SegFormer nor one of Meta's SAM 2.
    """
    names = names_of(model.name)
    if names is not None:
        return [checked(model.file(names.checkpoint))]
    config = checked(model.file('config.json')).path  # small: what follows may be of no use
    try:
        kind = json.loads(config.read_text()).get('model_type')
    except (AttributeError, OSError, ValueError) as error:
        raise HubError(f'{config} of {model} cannot be read: {one_line(error)}') from error
    if kind != 'segformer':
        raise HubError(
            f'{model} must be a SegFormer or one of {", ".join(hub_ids())}, got model_type '
            f'{kind!r}: name another')
    return [checked(path) for path in segformer_files(model)]


def checked(path: Path) -> Fetched:
    """Compare a file of the cache with the hash that the hub gave for it; raises HubError.

    The cache names a file by that hash: sha256 for large files, git's for small ones.  A file
    that differs is removed, so that the next time it is fetched anew.
    """
    expected = path.resolve().name
    sha256, git = _hashes(path)
    if not re.fullmatch('[0-9a-f]{40}|[0-9a-f]{64}', expected):
        raise HubError(
            f'{path} cannot be checked, for the cache does not say what the hub gave as its '
            'hash: use a file system with symbolic links, and the hub or a mirror that gives '
            'git and sha256 hashes')
    if expected not in (sha256, git):
        path.resolve().unlink()
        path.unlink()
        raise HubError(
            f'{path} was damaged, and is removed: the hub has {expected}, got '
            f'{sha256 if len(expected) == len(sha256) else git}: fetch it again')
    return Fetched(path, path.stat().st_size / 1e6, sha256)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 2 for a model that cannot be had."""
    options = _parser().parse_args(arguments)
    console = Console()
    try:
        for given in options.models:
            model = _model(given, options.cache_dir, options.offline)
            files = fetch(model)
            console.print(f'{model}, commit {files[0].path.parent.name}', **_PLAIN)
            for file in files:
                console.print(
                    f'  {file.path.name}  {file.size_mb:.1f} MB  sha256 {file.sha256}  '
                    f'{file.path.parent}', **_PLAIN)
    except HubError as error:
        Console(stderr=True).print(str(error), style='red', **_PLAIN)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='fetch_models', description='Downloads models of the Hugging Face hub into the '
        'cache, where segmenter.model and tracker.model find them without a network, and checks '
        "their hashes. The hub's own variables hold: HF_HOME, HF_ENDPOINT, HF_TOKEN.")
    parser.add_argument(
        'models', metavar='NAME', nargs='+', help='a SegFormer, as nvidia/segformer-b0-finetuned-'
        f'ade-512-512, or {", ".join(hub_ids())}; NAME@REVISION for a branch, tag or commit')
    parser.add_argument(
        '--cache-dir', default='', metavar='DIR', help='where to, to be named as '
        "segmenter.cache_dir and tracker.cache_dir; default: the hub's own cache")
    parser.add_argument(
        '--offline', action='store_true', help='download nothing; check what is there')
    return parser


def _model(given: str, cache_dir: str, offline: bool) -> HubModel:
    name, _, revision = given.partition('@')
    if not is_hub_id(name):
        raise HubError(
            f'NAME must be owner/repository, or that with @REVISION, got {given!r}: name a model '
            'of the hub (a directory of that name must not lie here)')
    return HubModel(name, revision, cache_dir, offline)


def _hashes(path: Path) -> tuple[str, str]:
    """Return a file's sha256 and the name that git gives it, in hex."""
    sha256, git = hashlib.sha256(), hashlib.sha1(f'blob {path.stat().st_size}\0'.encode())
    with path.open('rb') as file:
        while block := file.read(_READ_BYTES):
            sha256.update(block)
            git.update(block)
    return sha256.hexdigest(), git.hexdigest()


if __name__ == '__main__':
    sys.exit(main())
