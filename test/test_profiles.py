"""The paper's profile, and the file of it."""

from __future__ import annotations

from pathlib import Path

import yaml

from ditta_ros.profiles import PAPER
from ditta_ros.settings import Settings, from_flat, to_flat

FILE = Path(__file__).parents[1] / 'config' / 'ditta_paper.yaml'


def test_the_file_says_what_the_profile_says() -> None:
    groups = yaml.safe_load(FILE.read_text())['/**']['ros__parameters']
    assert {f'{group}.{name}': value for group, values in groups.items()
            for name, value in values.items()} == PAPER


def test_each_value_differs_from_the_default() -> None:
    defaults, paper = to_flat(Settings()), to_flat(from_flat(PAPER))
    assert {name for name in paper if paper[name] != defaults[name]} == set(PAPER)
