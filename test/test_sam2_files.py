"""Which files the tracker's parameters mean; the models are SAM 2's own, with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

from ditta_ros import sam2_files
from ditta_ros.errors import ModelError
from ditta_ros.sam2_files import Sam2Files, find_config, find_tracker, hub_ids, names_of
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker, build_sam2
from local_hub import fetch_models, serve
from tracking import SAM2_CONFIGS

TINY = SAM2_CONFIGS / 'sam2.1' / 'sam2.1_hiera_t.yaml'


def find(**values: object) -> Sam2Files:
    return find_tracker(TrackerSettings(**values), EMBEDDED_MODEL)  # type: ignore[arg-type]


def test_the_names_are_those_of_the_sam2_package() -> None:
    assert {name: (f'configs/{Path(name).name.split("-")[0]}/{names_of(name).config}',
                   names_of(name).checkpoint) for name in hub_ids()} == HF_MODEL_ID_TO_FILENAMES
    assert names_of('facebook/sam2.1-hiera-huge') is None


@pytest.mark.parametrize('name', hub_ids())
def test_every_model_of_meta_has_its_yaml(name: str) -> None:
    assert find_config(names_of(name).config).is_file()


def test_nothing_named_is_the_embedded_model() -> None:
    assert find() == (EMBEDDED_MODEL / 'model.yaml', EMBEDDED_MODEL / 'model.safetensors')


@pytest.mark.parametrize('config', [
    'sam2.1_hiera_t.yaml', 'configs/sam2.1/sam2.1_hiera_t.yaml', str(TINY)])
def test_a_yaml_by_its_name(config: str) -> None:
    assert find(config=config, checkpoint='w.pt') == (TINY, Path('w.pt'))


def test_a_yaml_of_ones_own_comes_first(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path('sam2.1_hiera_t.yaml').touch()
    assert find_config('sam2.1_hiera_t.yaml') == Path('sam2.1_hiera_t.yaml')
    assert find_config('none.yaml') == Path('none.yaml')


def test_a_file_or_a_folder_by_the_names_of_meta(tmp_path: Path) -> None:
    for name in ('model.safetensors', 'config.json', 'sam2.1_hiera_tiny.pt'):  # as on the hub
        (tmp_path / name).touch()
    wanted = (TINY, tmp_path / 'sam2.1_hiera_tiny.pt')
    assert find(model=str(tmp_path)) == wanted
    assert find(model=str(tmp_path / 'sam2.1_hiera_tiny.pt')) == wanted


@pytest.mark.parametrize('weights', ['model.safetensors', 'model.pt'])
def test_a_folder_with_a_yaml_of_its_own(weights: str, tmp_path: Path) -> None:
    (tmp_path / 'model.yaml').touch()
    (tmp_path / weights).touch()
    assert find(model=str(tmp_path)) == (tmp_path / 'model.yaml', tmp_path / weights)


@pytest.mark.parametrize(('values', 'says'), [
    ({'model': 'a', 'config': 'b', 'checkpoint': 'c'}, 'tracker.model stands alone'),
    ({'config': 'b'}, 'tracker.config and tracker.checkpoint belong together'),
    ({'model': 'facebook/sam3'}, "or weights named as .* got 'facebook/sam3'"),
    ({'model': '/no/where.pt'}, "got '/no/where.pt': for others set tracker.config"),
    ({'model': '.'}, r"tracker.model '\.' must hold weights named as"),
    ({'model': 'facebook/sam2.1-hiera-tiny', 'cache_dir': '/nothing', 'revision': 'v2'},
     r'sam2.1_hiera_tiny.pt of facebook/sam2.1-hiera-tiny@v2 is not in the cache /nothing: run '
     r'`ros2 run ditta_ros fetch_models --cache-dir /nothing facebook/sam2.1-hiera-tiny@v2`'),
])
def test_what_names_no_model(values, says, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=says) as raised:
        find(**values)
    assert 'tracker.model' in str(raised.value) or 'tracker.config' in str(raised.value)
    assert '\n' not in str(raised.value)


def test_without_the_sam2_package_no_yaml_has_a_name(monkeypatch) -> None:
    monkeypatch.setattr(sam2_files, 'find_spec', lambda name: None)
    assert find_config('sam2.1_hiera_t.yaml') == Path('sam2.1_hiera_t.yaml')


def test_a_model_of_the_hub_and_one_that_does_not_fit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_sam2(TINY, None, 'cpu')
    torch.save({'model': model.state_dict()}, tmp_path / 'sam2.1_hiera_tiny.pt')
    settings = TrackerSettings(
        model='facebook/sam2.1-hiera-tiny', cache_dir=str(tmp_path / 'cache'))
    with serve() as hub:
        hub.add(settings.model, tmp_path, 'sam2.1_hiera_tiny.pt')
        (tmp_path / 'sam2.1_hiera_tiny.pt').rename(tmp_path / 'sam2.1_hiera_small.pt')
        done = fetch_models(hub, tmp_path, '--cache-dir', settings.cache_dir, settings.model)
        assert done.returncode == 0, done.stderr
    loaded = Sam2Tracker.load(settings, 'cpu')._model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    with pytest.raises(ModelError, match='does not fit') as raised:
        Sam2Tracker.load(TrackerSettings(model=str(tmp_path / 'sam2.1_hiera_small.pt')), 'cpu')
    message = str(raised.value)
    assert message.startswith('tracker.model ') and '\n' not in message
    assert 'sam2.1_hiera_small.pt' in message and 'sam2.1_hiera_s.yaml' in message
