"""The models of a parameter file: the embedded ones, a random one, and what is broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ditta_ros.doctor.finding import Finding, State
from ditta_ros.doctor.models import file_hash, models
from ditta_ros.provenance import base_hash
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import TrackerSettings
from ditta_ros.tracker import EMBEDDED_MODEL, Sam2Tracker
from random_models import save_random_segformer
from sessions import adapted

CONFIG = Path(__file__).parents[2] / 'config'
PLAIN = {'warm_up.amount': 0.0}  # no tracker is loaded


def by_name(given: dict, where: str = '') -> dict[str, Finding]:
    return {found.name: found for found in models(given, where)}


def test_the_embedded_models_and_their_hashes() -> None:
    found = by_name({})
    assert {each.state for each in found.values()} == {State.OK}
    assert found['SegFormer'].seen == (
        f'embedded, 12 classes, hash {base_hash(Segmenter.load(""))[:12]}')
    shown = Sam2Tracker.load(TrackerSettings(), 'cpu').sha256()[:12]  # as the status shows it
    assert found['SAM 2'].seen == f'embedded fits model.yaml, hash {shown}'


def test_a_model_of_the_users_and_the_camera_it_is_for(tmp_path: Path) -> None:
    folder = save_random_segformer(tmp_path / 'model')
    found = by_name({**PLAIN, 'segmenter.model': str(folder)}, '/front/ditta ')
    assert f'{folder}, 5 classes' in found['/front/ditta SegFormer'].seen
    assert 'none is used' in found['/front/ditta SAM 2'].seen


@pytest.mark.parametrize(('given', 'name', 'seen'), [
    ({'segmenter.model': '/no/where'}, 'SegFormer', "'/no/where' has no readable config.json"),
    ({'tracker.config': 'x.yaml', 'tracker.checkpoint': '/no/sam2.pt'}, 'SAM 2', 'x.yaml'),
    ({'tau': 2.0}, 'parameters', 'tau must be <= 1'),
    ({'checkpoint.path': '/no/where/front.safetensors'}, 'checkpoint', '/no/where is not there'),
    ({'groups': '/no/groups.yaml'}, 'groups', '/no/groups.yaml'),
])
def test_what_cannot_be_loaded_is_told_with_its_remedy(given: dict, name: str, seen: str) -> None:
    found = by_name(given if name == 'SAM 2' else {**PLAIN, **given})[name]
    assert found.state is State.PROBLEM
    assert seen in found.seen and found.remedy and found.remedy not in found.seen


def test_weights_that_do_not_fit_the_configuration_of_sam2(tmp_path: Path) -> None:
    config = tmp_path / 'longer.yaml'
    text = (EMBEDDED_MODEL / 'model.yaml').read_text()
    changed, count = re.subn(r'(num_maskmem: )(\d+)', r'\g<1>1\2', text)  # 4 becomes 14
    assert count == 1
    config.write_text(changed)
    found = by_name({'tracker.config': str(config),
                     'tracker.checkpoint': str(EMBEDDED_MODEL / 'model.safetensors')})['SAM 2']
    assert found.state is State.PROBLEM and 'does not fit' in found.seen


def test_an_adapted_decoder_and_groups(tmp_path: Path) -> None:
    path = tmp_path / 'front.safetensors'
    given = {**PLAIN, 'checkpoint.path': str(path), 'groups': str(CONFIG / 'groups_demo.yaml')}
    assert 'is not there yet' in by_name(given)['checkpoint'].seen
    adapted(Segmenter.load('')).save(path)
    found = by_name(given)
    assert found['checkpoint'].state is found['groups'].state is State.OK
    assert 'on 3 frames' in found['checkpoint'].seen
    assert found['checkpoint'].seen.endswith(f'sha256 {file_hash(path)}')
    path.write_bytes(path.read_bytes()[:-1])
    assert by_name(given)['checkpoint'].state is State.PROBLEM
