"""The models of a node: there, whole, fitting each other, and their hashes.

They are loaded as the node loads them, onto the CPU.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ditta_ros.doctor.finding import Finding, note, ok, problem
from ditta_ros.doctor.params_file import settings_of
from ditta_ros.settings import SettingError, Settings, from_flat

if TYPE_CHECKING:
    from ditta_ros.segmenter import Segmenter

HASH_DIGITS = 12  # as segmentation/status shows model_hash
BLOCK_BYTES = 2 ** 22
CORRECT = 'correct the parameter file; config/ditta.yaml lists every parameter'


def models(given: Mapping[str, Any], where: str = '') -> list[Finding]:
    """Load what ``given`` names, a node's parameters by dotted name; {}: the embedded models.

    ``where`` is put before the names of the findings.
    """
    try:
        settings = from_flat(settings_of(given))
        from ditta_ros.segmenter import Segmenter  # imports torch: not before it is known
    except SettingError as error:
        return [problem(f'{where}parameters', str(error), CORRECT)]
    except (ImportError, OSError) as error:
        return [note(f'{where}models', f'not looked at: {error}')]
    found, segmenter = _segmenter(settings, f'{where}SegFormer', Segmenter)
    findings = [found, _tracker(settings, f'{where}SAM 2')]
    if segmenter is None:
        return findings
    if settings.checkpoint.path:
        findings.append(_checkpoint(settings, f'{where}checkpoint', segmenter))
    if given.get('groups'):
        findings.append(_groups(str(given['groups']), f'{where}groups', segmenter))
    return findings


def _segmenter(
    settings: Settings, name: str, loader: type[Segmenter],
) -> tuple[Finding, Segmenter | None]:
    from ditta_ros.errors import ModelError
    from ditta_ros.provenance import base_hash
    try:
        segmenter = loader.open(settings.segmenter, 'cpu', settings.adaptation.seed)
    except ModelError as error:
        return _refused(name, error), None
    model = settings.segmenter.model
    return ok(name, (
        f'{model or "embedded"}, {len(segmenter.label_set)} classes, hash '
        f'{base_hash(segmenter)[:HASH_DIGITS]}')), segmenter


def _tracker(settings: Settings, name: str) -> Finding:
    """Build SAM 2 from its configuration and load its weights, which must fit."""
    if settings.warm_up.amount == 0:
        return ok(name, 'none is used, as warm_up.amount is 0')
    from ditta_ros.errors import ModelError
    try:
        from ditta_ros.sam2_files import find_tracker
        from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker
        files = find_tracker(settings.tracker, EMBEDDED_MODEL)
        digest = Sam2Tracker.load(settings.tracker, 'cpu').sha256()[:HASH_DIGITS]
    except ModelError as error:
        return _refused(name, error)
    except (ImportError, OSError) as error:
        return problem(
            name, f'cannot be loaded: {error}',
            'SAM2_BUILD_CUDA=0 pip install --no-build-isolation sam2')
    shown = settings.tracker.model or settings.tracker.checkpoint or 'embedded'
    return ok(name, f'{shown} fits {files.config.name}, hash {digest}')


def _checkpoint(settings: Settings, name: str, segmenter: Segmenter) -> Finding:
    """Read the adapted decoder, where there is one."""
    from ditta_ros import checkpoint
    from ditta_ros.provenance import base_hash
    path = Path(settings.checkpoint.path)
    if not path.exists():
        if path.parent.is_dir():
            return ok(name, f'{path} is not there yet: ~/save writes it')
        return problem(name, f'{path.parent} is not there', f'mkdir -p {path.parent}')
    try:
        learnt = checkpoint.load(path, segmenter, base_hash(segmenter)).provenance
    except checkpoint.CheckpointError as error:
        return _refused(name, error)
    return ok(name, (
        f'{path}, {learnt.steps} steps on {learnt.frames} frames, {learnt.created_utc}, sha256 '
        f'{file_hash(path)}'))


def _groups(path: str, name: str, segmenter: Segmenter) -> Finding:
    from ditta_ros.class_files import ClassFileError
    from ditta_ros.groups import Groups
    try:
        groups = Groups.read(path, segmenter.label_set)
    except ClassFileError as error:
        return _refused(name, error)
    return ok(name, f'{path}: {", ".join(groups.label_set.names)}')


def file_hash(path: Path) -> str:
    """Return the first digits of the sha256 of a file."""
    sha256 = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(BLOCK_BYTES):
            sha256.update(block)
    return sha256.hexdigest()[:HASH_DIGITS]


def _refused(name: str, error: ValueError) -> Finding:
    """Return what a model's error says: its last clause is the remedy."""
    seen, _, remedy = str(error).rpartition(': ')
    return problem(name, seen or remedy, remedy if seen else CORRECT)
