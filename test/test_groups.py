"""Groups of classes, by hand; and those that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_ros.class_files import ClassFileError
from ditta_ros.demo.world import NAMES
from ditta_ros.groups import Groups
from ditta_ros.labels import LabelSet, default_palette

CONFIG = Path(__file__).parents[1] / 'config'
VSPW = Path(__file__).parents[2] / 'shared' / 'spec' / 'labels' / 'vspw.json'
MODEL = LabelSet(('road', 'floor', 'sky', 'person', 'car'), default_palette(5))
FILE = """
drivable: {classes: [floor, road], color: [128, 64, 0]}
person:
  classes: [person]
"""


def read(tmp_path: Path, text: str, label_set: LabelSet = MODEL) -> Groups:
    file = tmp_path / 'groups.yaml'
    file.write_text(text, encoding='utf-8')
    return Groups.read(str(file), label_set)


def test_classes_become_their_group_and_the_others_unlabelled(tmp_path: Path) -> None:
    groups = read(tmp_path, FILE)
    assert groups.label_set.names == ('drivable', 'person')
    np.testing.assert_array_equal(
        groups.label_set.palette, [[128, 64, 0], default_palette(2)[1]])
    label = groups.apply(torch.tensor([[0, 1, 2], [3, 4, 255]], dtype=torch.uint8))
    assert label.dtype == torch.uint8
    assert label.tolist() == [[0, 0, 255], [1, 255, 255]]


def test_the_rest_may_have_a_group(tmp_path: Path) -> None:
    groups = read(tmp_path, FILE + 'obstacle: {rest: true, classes: [car]}')
    label = groups.apply(torch.tensor([0, 1, 2, 3, 4, 255], dtype=torch.uint8))
    assert label.tolist() == [0, 0, 2, 1, 2, 255]


def test_no_file_leaves_the_classes_as_they_are() -> None:
    groups = Groups.read('', MODEL)
    label = torch.tensor([[0, 4, 255]], dtype=torch.uint8)
    assert groups.label_set is MODEL
    assert groups.apply(label) is label


def wide(classes: int) -> LabelSet:
    return LabelSet.from_model_config({index: f'c{index}' for index in range(classes)})


def test_many_classes_become_few_and_their_labels_8_bit(tmp_path: Path) -> None:
    groups = read(tmp_path, 'a: {classes: [c299]}\nb: {classes: [c255, c0]}', wide(300))
    label = groups.apply(torch.tensor([[299, 255, 0, 1, 65535]], dtype=torch.int32))
    assert label.dtype == torch.uint8
    assert label.tolist() == [[0, 1, 1, 255, 255]]


def test_many_groups_have_wide_labels(tmp_path: Path) -> None:
    text = '\n'.join(f'g{index}: {{classes: [c{299 - index}]}}' for index in range(290))
    groups = read(tmp_path, text, wide(300))
    assert groups.label_set.unlabelled == 65535
    label = groups.apply(torch.tensor([[299, 10, 9, 65535]], dtype=torch.int32))
    assert label.dtype == torch.int32
    assert label.tolist() == [[0, 289, 65535, 65535]]


def test_a_name_that_two_classes_have_means_both(tmp_path: Path) -> None:
    twice = LabelSet(('sky', 'road', 'sky'), default_palette(3))
    groups = read(tmp_path, 'up: {classes: [sky]}', twice)
    assert groups.apply(torch.tensor([0, 1, 2], dtype=torch.uint8)).tolist() == [0, 255, 0]


@pytest.mark.parametrize(('text', 'said'), [
    ('', 'must be a mapping, got NoneType'),
    ('[road]', 'must be a mapping, got list'),
    ('a: {classes: [road', 'cannot be read .*while parsing'),
    ('a: !!python/object/apply:os.getcwd []', 'cannot be read .*may have no tags'),
    ('a: {classes: [road]}\na: {classes: [sky]}', "'a' is there twice: keep one"),
    ('a: {classes: [road], classes: [sky]}', "'classes' is there twice"),
    ('no: {classes: [road]}', 'group False: a name must be text, got False: put it in quotes'),
    ('a: road', "group 'a' must have no keys but classes, color, rest, got 'road'"),
    ('a: {class: [road]}', "must have no keys but classes, color, rest, got {'class'"),
    ('a: {classes: road}', "classes must be a list of names, got 'road'"),
    ('a: {classes: [1]}', r'classes must be a list of names, got \[1\]'),
    ('a: {color: [1, 2, 3]}', 'must list classes or have rest: true, got neither'),
    ('a: {rest: 1}', 'rest must be true or false, got 1'),
    ('a: {classes: [road], color: [1, 2]}', r'color must be .* got \[1, 2\]'),
    ('a: {classes: [road], color: [1, 2, 256]}', 'color must be'),
    ('a: {classes: [road], color: [1, 2, true]}', 'color must be'),
    ('a: {classes: [Rood]}', "group 'a' lists 'Rood', which is no class .* did you mean road"),
    ('a: {classes: [zzz]}', "lists 'zzz', .* its classes are road, floor, sky, person, car"),
    ('a: {classes: [road]}\nb: {classes: [road]}', "class 'road' must be in one .* 'a' and 'b'"),
    ('a: {classes: [road, road]}', "class 'road' must be in one group, got 'a' and 'a'"),
    ('a: {rest: true}\nb: {rest: true}', "one group at most takes the rest, got 'a', 'b'"),
])
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ClassFileError, match=said) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f'groups {tmp_path / "groups.yaml"}')
    assert '\n' not in str(refused.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ClassFileError, match='groups /no/where.yaml cannot be read .*No such'):
        Groups.read('/no/where.yaml', MODEL)
    file = tmp_path / 'latin.yaml'
    file.write_bytes(b'\xe9: {rest: true}')
    with pytest.raises(ClassFileError, match='cannot be read .*utf-8'):
        Groups.read(str(file), MODEL)


def test_the_demo_models_groups() -> None:
    model = LabelSet(NAMES, default_palette(len(NAMES)))
    groups = Groups.read(str(CONFIG / 'groups_demo.yaml'), model)
    assert groups.label_set.names == (
        'drivable', 'terrain', 'person', 'vehicle', 'background', 'obstacle')
    label = groups.apply(torch.arange(len(NAMES), dtype=torch.uint8)).tolist()
    group_of = {name: groups.label_set.names[each] for name, each in zip(
        NAMES, label, strict=True)}
    assert group_of['sidewalk'] == 'drivable'
    assert group_of['pole'] == 'obstacle'
    assert len(np.unique(groups.label_set.palette, axis=0)) == 6


def test_vspws_groups() -> None:
    if not VSPW.is_file():
        pytest.skip(f'no class names of VSPW: {VSPW} is missing')
    names = tuple(json.loads(VSPW.read_text())['names'])
    groups = Groups.read(
        str(CONFIG / 'groups_vspw_costmap.yaml'), LabelSet(names, default_palette(len(names))))
    label = groups.apply(torch.arange(len(names), dtype=torch.uint8))
    group_of = dict(zip(names, (groups.label_set.names[each] for each in label), strict=True))
    assert len(group_of) == 124  # none is unlabelled
    assert set(group_of.values()) == set(groups.label_set.names)
    assert len(groups.label_set) == 11
    assert [group_of[name] for name in ('floor', 'chair_or_seat', 'ceiling', 'river')] == [
        'drivable', 'obstacle', 'background', 'water']
    assert len(np.unique(groups.label_set.palette, axis=0)) == 11
