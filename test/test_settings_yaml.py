from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ditta_ros import settings, settings_yaml
from ditta_ros.settings import Rule

FILE = Path(__file__).parents[1] / 'config' / 'ditta.yaml'


def test_the_file_is_what_the_generator_writes() -> None:
    assert FILE.read_text() == settings_yaml.text(), (
        'run: python -m ditta_ros.settings_yaml > config/ditta.yaml')


def test_the_file_read_as_yaml_is_every_default_in_its_type() -> None:
    def flat(tree: dict, prefix: str = '') -> dict:
        out = {}
        for name, value in tree.items():
            out |= flat(value, f'{prefix}{name}.') if isinstance(value, dict) else {
                prefix + name: value}
        return out

    read = flat(yaml.safe_load(FILE.read_text())['/**']['ros__parameters'])
    assert read.pop('autostart') is True
    assert read.pop('image_transport') == 'raw'
    assert read.pop('groups') == ''
    assert read.pop('status_rate_hz') == 2.0
    defaults = settings.to_flat(settings.Settings())
    assert read == defaults
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in defaults.items()}


@pytest.mark.parametrize('value', [0.0, 30.0, 2e-4, 1e-5, 1e-300, 1e22, -0.5, 7, True, '', 'a: b'])
def test_scalars_come_back_as_they_were(value: object) -> None:
    back = yaml.safe_load(settings_yaml.scalar(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(('rule', 'said'), [
    (Rule('', 'px', low=0, high=100), 'px, 0 to 100'),
    (Rule('', low=0.0, high=1.0), '0 to 1'),
    (Rule('', 'frames', low=0), 'frames, >= 0'),
    (Rule('', 's', high=5), 's, <= 5'),
    (Rule('', choices=('auto', 'cpu')), 'auto | cpu'),
    (Rule(''), ''),
])
def test_limits_in_words(rule: Rule, said: str) -> None:
    assert settings_yaml.limits(rule) == said
