"""Files about classes: the labels that come with the package, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ditta_ros.class_files import ClassFileError, read_labels
from ditta_ros.labels import default_palette

CONFIG = Path(__file__).parents[1] / 'config'
LISTS = Path(__file__).parents[2] / 'shared' / 'spec' / 'labels'
CLASSES = {'vspw': 124, 'ade20k': 150, 'cityscapes': 19}


@pytest.mark.parametrize('data_set', CLASSES)
def test_names_are_those_of_the_data_set(data_set: str) -> None:
    file = LISTS / f'{data_set}.json'
    if not file.is_file():
        pytest.skip(f'no class names of {data_set}: {file} is missing')
    expected = json.loads(file.read_text())['names']
    assert read_labels(CONFIG / f'labels_{data_set}.yaml').names == tuple(expected)


@pytest.mark.parametrize(('data_set', 'colors'), [
    ('cityscapes', {0: (128, 64, 128), 8: (107, 142, 35), 11: (220, 20, 60), 18: (119, 11, 32)}),
    ('ade20k', {0: (120, 120, 120), 12: (150, 5, 61), 20: (0, 102, 200), 149: (92, 0, 255)}),
    # PASCAL VOC's colours of the values 1, 15 and 124.
    ('vspw', {0: (128, 0, 0), 14: (192, 128, 128), 123: (96, 64, 192)}),
])
def test_colours(data_set: str, colors: dict[int, tuple[int, int, int]]) -> None:
    palette = read_labels(CONFIG / f'labels_{data_set}.yaml').palette
    assert palette.shape == (CLASSES[data_set], 3)
    assert {index: tuple(palette[index].tolist()) for index in colors} == colors


def test_colours_tell_classes_apart() -> None:
    for data_set, classes in CLASSES.items():
        palette = read_labels(CONFIG / f'labels_{data_set}.yaml').palette
        # ADE20K's own palette has one colour twice.
        assert len(np.unique(palette, axis=0)) == classes - (data_set == 'ade20k'), data_set
    np.testing.assert_array_equal(
        read_labels(CONFIG / 'labels_vspw.yaml').palette, default_palette(124))


@pytest.mark.parametrize(('text', 'said'), [
    ('', 'must be a mapping, got NoneType: write it like config/labels_cityscapes.yaml'),
    ('[road]', 'must be a mapping, got list'),
    ('road: [1, 2', 'cannot be read .*while parsing'),
    ('road: !!python/object/apply:os.getcwd []', 'cannot be read .*may have no tags'),
    ('road: [1, 2, 3]\nroad: [1, 2, 3]', "'road' is there twice"),
    ('no: [1, 2, 3]', 'a name must be text, got False: put it in quotes'),
    ('road: [1, 2]', r"class 'road': a color must be .* got \[1, 2\]"),
    ('road: [1, 2, 256]', "class 'road': a color must be"),
    ('road: [1, 2, true]', "class 'road': a color must be"),
    ('"r\\nd": [1]', "class 'r.*d': a color must be"),
    ('road: "\\ud800\\n"', "class 'road': a color must be"),
    ('road: grey', "class 'road': a color must be .* got 'grey'"),
])
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / 'labels.yaml'
    file.write_text(text)
    with pytest.raises(ClassFileError, match=said) as refused:
        read_labels(file)
    assert str(refused.value).startswith(f'labels {file}')
    assert str(refused.value).isprintable()


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ClassFileError, match='labels /no/where.yaml cannot be read .*No such'):
        read_labels('/no/where.yaml')
