"""What a base model is known by, and where a head says it comes from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from ditta_ros.adaptation import Losses
from ditta_ros.lessons import Progress
from ditta_ros.provenance import Provenance, base_hash, digest
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import Settings, from_flat
from random_models import save_random_segformer


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_random_segformer(tmp_path_factory.mktemp('segformer')))


def test_a_base_model_is_known_by_its_weights(model: str, tmp_path: Path) -> None:
    base = Segmenter.load(model)
    known = base_hash(base)
    assert len(known) == 64
    assert base_hash(Segmenter.load(model)) == known
    # adaptation.seed draws layers that are not the base model's.
    assert base_hash(Segmenter.load(model, seed=7)) == known
    other = Segmenter.load(str(save_random_segformer(tmp_path, seed=1)))
    assert base_hash(other) != known
    assert base_hash(dataclasses.replace(base, mean=base.mean + 0.1)) != known
    assert base_hash(dataclasses.replace(base, head=other.head)) != known


@pytest.mark.parametrize('other', [
    {'a': torch.tensor([1.0, 3.0]), 'b': torch.tensor(2)},
    {'a': torch.tensor([[1.0, 2.0]]), 'b': torch.tensor(2)},
    {'a': torch.tensor([1.0, 2.0]), 'c': torch.tensor(2)},
    {'a': torch.tensor([1.0, 2.0]), 'b': torch.tensor(2, dtype=torch.int32)},
    {'a': torch.tensor([1.0, 2.0])},
])
def test_a_digest_sees_names_shapes_dtypes_and_values(other: dict[str, torch.Tensor]) -> None:
    state = {'a': torch.tensor([1.0, 2.0]), 'b': torch.tensor(2)}
    assert digest(state) == digest(dict(reversed(state.items())))
    assert digest(state) == digest({**state, 'a': torch.tensor([[1.0, 0.0], [2.0, 0.0]])[:, 0]})
    assert digest(state) != digest(other)
    assert digest(state) != digest(state, 'text')


def test_what_is_written_is_read() -> None:
    losses = Losses(0.5, 0.25, 0.125, 0.875)
    progress = Progress(
        frames=30, objects=4, first_stamp_ns=100, last_stamp_ns=3000, steps=150,
        steps_planned=150, losses=losses)
    made = Provenance.of('ab' * 32, ('road', 'sky'), Settings(tau=0.7), progress)
    read = Provenance.from_json(made.to_json())
    assert read == made
    assert (read.frames, read.objects, read.steps) == (30, 4, 150)
    assert (read.first_stamp_ns, read.last_stamp_ns) == (100, 3000)
    assert read.losses == {
        'distill': 0.5, 'distill_add': 0.25, 'contrast': 0.125, 'total': 0.875, 'anchor': 0.0}
    assert from_flat(read.settings) == Settings(tau=0.7)
    assert read.created_utc.endswith('+00:00')


@pytest.mark.parametrize('text', ['', '[]', '{}', 'null', '{"more": 1}'])
def test_anything_else_is_not_read(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        Provenance.from_json(text)


@pytest.mark.parametrize('change', [
    {'classes': [1]}, {'classes': None}, {'classes': {'road': 1}}, {'classes': 'road'},
    {'base_sha256': None}])
def test_what_is_compared_must_be_text(change: dict[str, object]) -> None:
    made = Provenance.of('ab' * 32, ('road',), Settings(), Progress())
    with pytest.raises(TypeError):
        Provenance.from_json(dataclasses.replace(made, **change).to_json())
