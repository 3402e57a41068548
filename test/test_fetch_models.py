"""The real download code, from a hub on this machine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from ditta_ros.fetch_models import checked
from ditta_ros.hub import HubError, HubModel
from local_hub import COMMIT, Hub, fetch_models, serve

CONFIG = json.dumps({'model_type': 'segformer'}).encode()
WEIGHTS = bytes(range(256)) * 5000
NAME = 'nvidia/segformer-b0'


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        hub.models[NAME] = {
            'config.json': CONFIG, 'preprocessor_config.json': b'{}', 'model.safetensors': WEIGHTS,
            'pytorch_model.bin': b'not wanted', 'tf_model.h5': b'not wanted'}
        hub.models['facebook/sam2.1-hiera-base-plus'] = {
            'sam2.1_hiera_base_plus.pt': WEIGHTS, 'config.json': b'{}', 'model.safetensors': b'?'}
        yield hub


def refusal(done) -> str:
    assert done.returncode == 2, done
    assert 'Traceback' not in done.stderr
    return done.stderr.strip().splitlines()[-1]  # after the progress bars


def test_what_is_read_is_fetched_and_told(hub, tmp_path) -> None:
    done = fetch_models(hub, tmp_path, NAME, 'facebook/sam2.1-hiera-base-plus')
    assert done.returncode == 0, done.stderr
    assert sorted(hub.asked) == [
        'config.json', 'model.safetensors', 'preprocessor_config.json',
        'sam2.1_hiera_base_plus.pt']
    assert f'{NAME}, commit {COMMIT}' in done.stdout
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert f'model.safetensors  1.3 MB  sha256 {sha256}' in done.stdout
    folder = tmp_path / 'hub' / 'models--nvidia--segformer-b0' / 'snapshots' / COMMIT
    assert str(folder) in done.stdout
    assert (folder / 'model.safetensors').read_bytes() == WEIGHTS


def test_a_terminal_shows_how_far_it_is(hub, tmp_path) -> None:
    terminal, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 120, 0, 0))
    done = fetch_models(hub, tmp_path, NAME, stderr=theirs)
    os.close(theirs)
    shown = os.read(terminal, 2 ** 16).decode()
    os.close(terminal)
    assert done.returncode == 0
    assert 'model.safetensors: 100%' in shown


def test_a_second_time_nothing_is_downloaded_and_a_network_is_not_needed(hub, tmp_path) -> None:
    first = fetch_models(hub, tmp_path, NAME)
    hub.asked.clear()
    assert fetch_models(hub, tmp_path, NAME).stdout == first.stdout
    assert hub.asked == []
    hub.models.clear()
    offline = fetch_models(hub, tmp_path, '--offline', NAME)
    assert (offline.returncode, offline.stdout) == (0, first.stdout)
    hub.endpoint = 'http://127.0.0.1:9'  # nobody listens
    assert fetch_models(hub, tmp_path, NAME).stdout == first.stdout


def test_a_model_without_safetensors_or_processor(hub, tmp_path) -> None:
    hub.models[NAME] = {'config.json': CONFIG, 'pytorch_model.bin': WEIGHTS}
    done = fetch_models(hub, tmp_path, NAME)
    assert done.returncode == 0, done.stderr
    assert hub.asked == ['config.json', 'pytorch_model.bin']


def test_a_revision_and_a_folder(hub, tmp_path) -> None:
    done = fetch_models(
        hub, tmp_path / 'unused', '--cache-dir', str(tmp_path / 'here'), f'{NAME}@v2')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'here' / 'models--nvidia--segformer-b0' / 'refs' / 'v2').is_file()
    model = HubModel(NAME, 'v2', str(tmp_path / 'here'))
    assert model.file('model.safetensors').read_bytes() == WEIGHTS
    with pytest.raises(HubError, match=r'run `ros2 run ditta_ros fetch_models --cache-dir .*here'):
        HubModel(NAME, '', str(tmp_path / 'here')).file('config.json')


@pytest.mark.parametrize(('arguments', 'says'), [
    (['nvidia/nothing'], 'shows no model nvidia/nothing: correct the name, or log in'),
    ([f'{NAME}@v9'], "has no revision 'v9'"),
    (['facebook/sam2.1-hiera-tiny'], 'shows no model'),
    (['some/bert'], "must be a SegFormer or one of .*, got model_type 'bert'"),
    (['some/list'], 'cannot be read'),
    (['some/headless'], 'has no file pytorch_model.bin on the hub'),
    (['segformer'], "must be owner/repository, or that with @REVISION, got 'segformer'"),
    (['--offline', NAME], f'config.json of {NAME} is not in the cache .*: run `ros2 run'),
])
def test_what_cannot_be_had_is_said_in_one_line(hub, arguments, says, tmp_path) -> None:
    hub.models['some/bert'] = {'config.json': b'{"model_type": "bert"}', 'model.safetensors': b''}
    hub.models['some/list'] = {'config.json': b'[]'}
    hub.models['some/headless'] = {'config.json': CONFIG}
    done = fetch_models(hub, tmp_path, *arguments)
    assert re.search(says, refusal(done)), done.stderr
    assert 'model.safetensors' not in hub.asked


def test_a_hub_that_cannot_be_reached(hub, tmp_path) -> None:
    hub.endpoint = 'http://127.0.0.1:9'
    done = fetch_models(hub, tmp_path, NAME, patient=False)
    assert 'and the hub http://127.0.0.1:9 cannot be reached' in refusal(done)


@pytest.mark.parametrize('filename', ['config.json', 'model.safetensors'])
def test_damage_is_found_and_mended_the_next_time(hub, filename, tmp_path) -> None:
    hub.damaged.add('model.safetensors')
    done = fetch_models(hub, tmp_path, NAME)
    assert 'model.safetensors was damaged, and is removed: the hub has' in refusal(done)
    hub.damaged.clear()
    assert fetch_models(hub, tmp_path, NAME).returncode == 0
    blob = next((tmp_path / 'hub').rglob(f'snapshots/*/{filename}')).resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b' ')  # the disk lost it later
    assert f'{filename} was damaged' in refusal(fetch_models(hub, tmp_path, '--offline', NAME))
    assert fetch_models(hub, tmp_path, NAME).returncode == 0
    assert blob.is_file()


def test_a_file_whose_hash_nobody_gave(tmp_path: Path) -> None:
    (tmp_path / 'weights.pt').write_bytes(b'x')
    with pytest.raises(HubError, match=r'weights\.pt cannot be checked'):
        checked(tmp_path / 'weights.pt')
