"""Class lists, those of data sets and those of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ditta_ros.convert.names import DATA_SETS, read_classes
from ditta_ros.errors import ModelError

ROOT = Path(__file__).parents[2]
LABELS = ROOT.parent / 'shared' / 'spec' / 'labels'


@pytest.mark.parametrize(('dataset', 'count', 'first', 'last'), [
    ('vspw', 124, 'wall', 'train'), ('ade20k', 150, 'wall', 'flag'),
    ('cityscapes', 19, 'road', 'bicycle')])
def test_the_data_sets(dataset: str, count: int, first: str, last: str) -> None:
    names, palette = read_classes(dataset)
    assert len(palette) == count
    assert (len(names), len(set(names)), names[0], names[-1]) == (count, count, first, last)
    assert all(name == name.strip() and '  ' not in name for name in names)


@pytest.mark.parametrize('dataset', DATA_SETS)
def test_the_data_sets_are_those_of_the_lists(dataset: str) -> None:
    file = LABELS / f'{dataset}.json'
    if not file.is_file():
        pytest.skip(f'no {file}')
    assert read_classes(dataset).names == tuple(json.loads(file.read_text())['names'])


@pytest.mark.parametrize(('name', 'text'), [
    ('n.txt', 'road\nsky\ntraffic light\n'),
    ('n.json', '["road", "sky", "traffic light"]'),
    ('n.json', '{"2": "traffic light", "0": "road", "1": "sky"}'),
    ('n.yaml', '0: road\n1: sky\n2: traffic light\n'),
])
def test_files(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert read_classes(str(tmp_path / name)) == (('road', 'sky', 'traffic light'), ())


def test_colours_of_a_file(tmp_path: Path) -> None:
    (tmp_path / 'n.yaml').write_text('road: [128, 64, 128]\nsky: [70, 130, 180]\n')
    assert read_classes(str(tmp_path / 'n.yaml')) == (
        ('road', 'sky'), ((128, 64, 128), (70, 130, 180)))


@pytest.mark.parametrize(('name', 'text'), [
    ('n.yaml', 'road: [128, 64]\nsky: [70, 130, 180]\n'), ('n.yaml', 'road: [1, 2, 256]'),
    ('n.txt', ''), ('n.txt', 'road\n\nsky'), ('n.json', '{"1": "road"}'), ('n.json', '[1, 2]'),
    ('n.json', '"road"'), ('n.json', '['), ('n.yaml', 'a: ['),
    ('n.yaml', '- &a road\n- *a'), ('n.json', '[' * 100_000),
])
def test_files_that_name_no_classes(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match='--names') as caught:
        read_classes(str(tmp_path / name))
    assert '\n' not in str(caught.value)
