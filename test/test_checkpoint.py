"""Files of adapted heads: whole or not there, and refused where they do not fit."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ditta_ros.checkpoint import Adapted, CheckpointError, load, not_finite, save
from ditta_ros.labeller import TemporalLabeller
from ditta_ros.labels import LabelSet
from ditta_ros.lessons import Progress
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.segmenter import Head, Segmenter
from ditta_ros.settings import Settings
from random_models import save_random_segformer

State = dict[str, Tensor]
Metadata = dict[str, str]


@pytest.fixture(scope='module')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(str(save_random_segformer(tmp_path_factory.mktemp('segformer'))))


@pytest.fixture(scope='module')
def base_sha256(segmenter: Segmenter) -> str:
    return base_hash(segmenter)


@pytest.fixture(scope='module')
def provenance(segmenter: Segmenter, base_sha256: str) -> Provenance:
    return Provenance.of(base_sha256, segmenter.label_set.names, Settings(), Progress(steps=3))


@pytest.fixture
def adapted(segmenter: Segmenter, provenance: Provenance) -> Adapted:
    """A head with a new value in every weight."""
    torch.manual_seed(5)
    head = Head((8, 16, 24, 32), 16, 5).requires_grad_(False).eval()
    for value in head.state_dict().values():
        value.copy_(torch.rand(value.shape) * 2 + 0.5 if value.is_floating_point() else value + 7)
    return Adapted(head, provenance)


@pytest.fixture
def saved(adapted: Adapted, tmp_path: Path) -> Path:
    path = tmp_path / 'head.safetensors'
    save(path, adapted)
    return path


def contents(path: Path) -> tuple[State, Metadata]:
    with safe_open(path, 'pt') as file:
        return load_file(path), file.metadata()


def refusal(path: Path, segmenter: Segmenter, base_sha256: str) -> str:
    """The one line that refuses ``path``, which it names."""
    with pytest.raises(CheckpointError) as caught:
        load(path, segmenter, base_sha256)
    message = str(caught.value)
    assert message.startswith(f'checkpoint.path {str(path)!r} ')
    assert '\n' not in message
    return message


def test_what_is_loaded_is_what_was_saved(
    segmenter: Segmenter, base_sha256: str, adapted: Adapted, saved: Path,
) -> None:
    loaded = load(saved, segmenter, base_sha256)
    assert loaded.provenance == adapted.provenance
    for name, value in adapted.head.state_dict().items():
        assert torch.equal(loaded.head.state_dict()[name], value), name
    frames = [torch.randint(0, 256, (48, 64, 3), dtype=torch.uint8) for _ in range(2)]
    ours, theirs = TemporalLabeller(loaded.head), TemporalLabeller(adapted.head)
    for frame in frames:
        features = segmenter.encode(frame)
        for one, other in zip(
                ours.label(features, (48, 64), 0.8), theirs.label(features, (48, 64), 0.8),
                strict=True):
            assert torch.equal(one, other)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_newer_file_takes_the_place_of_the_older(
    segmenter: Segmenter, base_sha256: str, adapted: Adapted, saved: Path,
) -> None:
    save(saved, Adapted(segmenter.head, dataclasses.replace(adapted.provenance, steps=4)))
    loaded = load(saved, segmenter, base_sha256)
    assert loaded.provenance.steps == 4
    assert torch.equal(loaded.head.fuse.weight, segmenter.head.fuse.weight)


@pytest.mark.parametrize(('change', 'says'), [
    (lambda s, m: s.pop('fuse.weight'), 'lacks fuse.weight'),
    (lambda s, m: s.update(more=torch.ones(1)), 'has more too much'),
    (lambda s, m: s.update({'fuse.weight': torch.ones(2, 3)}),
     'has fuse.weight as float32 [2, 3] for float32 [16, 64, 1, 1]'),
    (lambda s, m: s.update({'classifier.bias': s['classifier.bias'].half()}),
     'has classifier.bias as float16 [5] for float32 [5]'),
    (lambda s, m: [s.pop(name) for name in ('fuse.weight', 'classifier.bias')], 'and 1 more'),
    (lambda s, m: s['classifier.bias'].fill_(torch.nan), 'has classifier.bias not finite'),
    (lambda s, m: s['batch_norm.running_var'][3].fill_(torch.inf),
     'has batch_norm.running_var not finite'),
    (lambda s, m: s['classifier.bias'].add_(1e-3), 'was changed after it had been saved'),
    (lambda s, m: s['batch_norm.num_batches_tracked'].add_(1), 'was changed after it had been'),
    (lambda s, m: m.update(provenance=m['provenance'].replace('"steps": 3', '"steps": 4')),
     'was changed after it had been saved'),
    (lambda s, m: m.pop('content_sha256'), 'was changed after it had been saved'),
    (lambda s, m: m.clear(), "has no metadata that says 'ditta_ros adapted decoder'"),
    (lambda s, m: m.update(format='pt'), 'has no metadata that says'),
    (lambda s, m: m.update(format_version='2'), "has the format version '2', and version '1'"),
    (lambda s, m: m.pop('format_version'), 'has the format version None'),
    (lambda s, m: m.pop('provenance'), 'has no readable provenance'),
    (lambda s, m: m.update(provenance='[' * 100_000), 'has no readable provenance'),
    (lambda s, m: m.update(provenance='{"steps": 3}'), 'has no readable provenance'),
])
def test_a_file_that_was_changed_is_refused(
    change: Callable[[State, Metadata], object], says: str, segmenter: Segmenter,
    base_sha256: str, saved: Path,
) -> None:
    state, metadata = contents(saved)
    change(state, metadata)
    save_file(state, saved, metadata)
    assert says in refusal(saved, segmenter, base_sha256)


def test_another_base_model_is_refused(
    segmenter: Segmenter, saved: Path, tmp_path: Path,
) -> None:
    other = Segmenter.load(str(save_random_segformer(tmp_path / 'other', seed=1)))
    message = refusal(saved, other, base_hash(other))
    assert f'was adapted from weights {base_hash(segmenter)[:12]}' in message
    assert f'segmenter.model are {base_hash(other)[:12]}: set segmenter.model' in message


def test_other_classes_are_refused(
    segmenter: Segmenter, base_sha256: str, saved: Path,
) -> None:
    names = ('road', *segmenter.label_set.names[1:])
    other = dataclasses.replace(segmenter, label_set=LabelSet(names, segmenter.label_set.palette))
    message = refusal(saved, other, base_sha256)
    assert 'knows the classes LABEL_0, LABEL_1, LABEL_2, LABEL_3, ... (5)' in message
    assert 'segmenter.model road, LABEL_1' in message


@pytest.mark.parametrize('kept', [0, 7, 8, 100, 5000, -1])
def test_half_a_file_is_refused(
    kept: int, segmenter: Segmenter, base_sha256: str, saved: Path,
) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    assert 'is not a whole safetensors file' in refusal(saved, segmenter, base_sha256)


@pytest.mark.parametrize('data', [
    b'PK no safetensors at all', b'\xff' * 64, (2).to_bytes(8, 'little') + b'{}',
    (2 ** 62).to_bytes(8, 'little') + b'{}', (100_000).to_bytes(8, 'little') + b'[' * 100_000,
])
def test_files_that_are_something_else_are_refused(
    data: bytes, segmenter: Segmenter, base_sha256: str, tmp_path: Path,
) -> None:
    path = tmp_path / 'other.safetensors'
    path.write_bytes(data)
    assert ': ' in refusal(path, segmenter, base_sha256)


def test_what_cannot_be_read_is_refused(
    segmenter: Segmenter, base_sha256: str, saved: Path, tmp_path: Path,
) -> None:
    assert 'does not exist: save an adapted model first' in refusal(
        tmp_path / 'none.safetensors', segmenter, base_sha256)
    assert 'is not a file' in refusal(tmp_path, segmenter, base_sha256)
    os.mkfifo(tmp_path / 'pipe')  # to open it would wait for ever
    assert 'is not a file' in refusal(tmp_path / 'pipe', segmenter, base_sha256)
    assert 'cannot be read' in refusal(Path('/proc/self/mem'), segmenter, base_sha256)
    with saved.open('r+b') as file:
        file.truncate(2 ** 40)  # a hole, which takes no room on the disk
    assert 'has more than the' in refusal(saved, segmenter, base_sha256)


def test_what_cannot_be_written_leaves_nothing_behind(
    adapted: Adapted, tmp_path: Path,
) -> None:
    (tmp_path / 'file').write_bytes(b'')
    (tmp_path / 'folder').mkdir()
    paths = [
        tmp_path / 'none' / 'head.safetensors', tmp_path / 'file' / 'head.safetensors',
        tmp_path / 'folder', Path('/proc/head.safetensors'), tmp_path / ('long' * 100)]
    for path in paths:
        with pytest.raises(CheckpointError, match='cannot be written') as caught:
            save(path, adapted)
        assert str(path) in str(caught.value)
        assert 'name a file in a folder that exists' in str(caught.value)
        assert '\n' not in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['file', 'folder']


@pytest.mark.skipif(os.geteuid() == 0, reason='the superuser may write everywhere')
def test_a_folder_that_may_not_be_written_is_named(adapted: Adapted, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CheckpointError, match='Permission denied'):
        save(tmp_path / 'head.safetensors', adapted)


@pytest.mark.parametrize('name', ['a\nb', '\ud800', 'x' * 10_000])
def test_an_error_repeats_what_a_file_says_as_one_short_line(
    name: str, segmenter: Segmenter, base_sha256: str, adapted: Adapted, saved: Path,
) -> None:
    classes = [name, *adapted.provenance.classes]
    save(saved, Adapted(
        adapted.head, dataclasses.replace(adapted.provenance, classes=classes)))
    message = refusal(saved, segmenter, base_sha256)
    assert 'knows the classes ' in message
    assert len(message.encode()) < 2000


def test_weights_that_are_not_finite_are_named() -> None:
    state = {'a': torch.tensor([1.0, torch.inf]), 'b': torch.tensor(3), 'c': torch.tensor([0.0])}
    assert not_finite(state) == ['a']
