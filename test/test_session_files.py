"""Adapted models in files: what a session saves, loads, and finds at its start."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from safetensors import safe_open

from ditta_ros.checkpoint import CheckpointError
from ditta_ros.opening import open_session
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase, RequestError, Session
from ditta_ros.settings import (
    CheckpointSettings,
    SegmenterSettings,
    SettingError,
    Settings,
    WarmUpSettings,
)
from random_models import save_random_segformer
from sessions import adapted, same, session, stream


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_segformer(tmp_path_factory.mktemp('segformer'))


@pytest.fixture(scope='module')
def segmenter(model: Path) -> Segmenter:
    return Segmenter.load(str(model))


def open_from(model: Path, path: str | Path) -> Session:
    return open_session(Settings(
        segmenter=SegmenterSettings(model=str(model), device='cpu'),
        warm_up=WarmUpSettings(amount=0.0),
        checkpoint=CheckpointSettings(path=str(path), load_at_start=True)))


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, 'pt') as file:
        return file.metadata()


def test_what_was_saved_labels_at_once_and_alike(segmenter: Segmenter, tmp_path: Path) -> None:
    walk = adapted(segmenter)
    path = tmp_path / 'head.safetensors'
    walk.save(path)
    other = session(segmenter)
    other.feed(stream()[0])
    other.load(path)
    status = other.status()
    assert (status['phase'], status['model'], status['unit']) == ('frozen', 'adapted', 'none')
    assert (status['why'], status['promoted']) == (f'loaded from {path}', True)
    other.restart('the stream begins')
    assert same(walk, other)
    other.save(tmp_path / 'again.safetensors')
    assert metadata(tmp_path / 'again.safetensors') == metadata(path)
    other.reset()
    assert (other.phase, other.status()['promoted']) == (Phase.WARM_UP, False)


def test_save_needs_an_adapted_model(segmenter: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r'phase warm_up \(warming up: 0 frames of 3\)'):
        session(segmenter).save(tmp_path / 'head.safetensors')
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_refused_changes_nothing(segmenter: Segmenter, tmp_path: Path) -> None:
    walk = session(segmenter)
    walk.feed(stream()[0])
    before = walk.status()
    with pytest.raises(CheckpointError, match='does not exist'):
        walk.load(tmp_path / 'none.safetensors')
    assert walk.status() == before


def test_a_file_is_loaded_at_start(
    model: Path, segmenter: Segmenter, tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / 'head.safetensors'
    with caplog.at_level(logging.INFO):
        assert not open_from(model, path).status()['promoted']
    assert f'checkpoint.path {path} is not there yet' in caplog.text
    walk = adapted(segmenter)
    walk.save(path)
    opened = open_from(model, path)
    assert opened.status()['why'] == f'loaded from {path}'
    walk.restart('the stream begins')
    assert same(walk, opened)
    path.write_bytes(b'no safetensors')
    with pytest.raises(CheckpointError, match=r'checkpoint\.path .*head\.safetensors'):
        open_from(model, path)
    with pytest.raises(SettingError, match=r'load_at_start needs a checkpoint\.path'):
        open_from(model, '')
