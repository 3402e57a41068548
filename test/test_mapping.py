"""Merges of logits by hand; the mappings that come with the package; files that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_ros.class_files import ClassFileError, read_labels
from ditta_ros.evaluation.metrics import Confusion
from ditta_ros.mapping import NEVER, ClassMapping
from ditta_ros.temporal import decide

CONFIG = Path(__file__).parents[1] / 'config'
SOURCE = ('tree', 'road', 'toy', 'flower', 'person')
LABELS = """
road: [1, 1, 1]
sign: [2, 2, 2]
green: [3, 3, 3]
person: [4, 4, 4]
rider: [5, 5, 5]
"""
FILE = """
target: labels.yaml
classes:
  road: [road]
  green: [tree, flower]
  person: [person]
truth: {rider: person}
"""


def load(tmp_path: Path, text: str = FILE) -> ClassMapping:
    (tmp_path / 'labels.yaml').write_text(LABELS)
    file = tmp_path / 'mapping.yaml'
    file.write_text(text)
    return ClassMapping.load(file, SOURCE)


def test_logits_are_merged_by_their_maximum(tmp_path: Path) -> None:
    mapping = load(tmp_path)
    #                         tree  road  toy flower person
    logits = torch.tensor([[[-3.0, -5.0, 9.0, -2.0, -4.0], [2.0, 1.0, 0.0, -7.0, 3.0]]])
    #   road  sign   green  person  rider
    assert mapping.merge(logits).tolist() == [[
        [-5.0, NEVER, -2.0, -4.0, NEVER], [1.0, NEVER, 2.0, 3.0, NEVER]]]
    assert torch.equal(mapping.merge(logits.movedim(2, 0), 0), mapping.merge(logits).movedim(2, 0))
    assert torch.equal(mapping.merge(logits.movedim(2, 1), 1), mapping.merge(logits).movedim(2, 1))
    assert mapping.label_set.names == ('road', 'sign', 'green', 'person', 'rider')
    assert mapping.evaluated.tolist() == [True, False, True, True, False]


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_what_is_never_predicted_has_no_probability(tmp_path: Path, dtype: torch.dtype) -> None:
    logits = torch.full((1, 5), -300.0, dtype=dtype)
    merged = load(tmp_path).merge(logits)
    assert merged.dtype == dtype
    prob = merged.softmax(-1)
    torch.testing.assert_close(prob, torch.tensor([[1, 0, 1, 1, 0]], dtype=dtype) / 3)


def test_a_gradient_goes_to_the_largest(tmp_path: Path) -> None:
    logits = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], requires_grad=True)
    load(tmp_path).merge(logits)[2].backward()  # green: tree 1, flower 4
    assert logits.grad is not None
    assert logits.grad.tolist() == [0, 0, 0, 1, 0]


def test_decided_on_the_image_grid(tmp_path: Path) -> None:
    """Interpolation between two positions, one of which has no road, knows no NaN."""
    logits = torch.zeros(1, 2, 5)
    logits[0, 0], logits[0, 1] = (
        torch.tensor([0.0, 8.0, 50.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 50.0, 9.0, 0.0]))
    merged = load(tmp_path).merge(logits).movedim(-1, 0)[None]  # [1, 5, 1, 2]
    for carried in (None, merged):
        label, reliability = decide(merged, carried, (3, 8), 0.8)
        # Left road, right green; they are equal (8 - 8 w = 9 w) at w = 0.47 of the way.
        assert label.tolist() == [[0, 0, 0, 0, 2, 2, 2, 2]] * 3
        assert reliability.isfinite().all()
        assert reliability[0].argmin().item() == 3  # the toy's 50 would have made it sure


def test_truth_counts_as_the_mapping_says(tmp_path: Path) -> None:
    mapping = load(tmp_path)
    truth = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)
    counted = mapping.truth(truth)
    assert counted.dtype == np.uint8
    assert counted.tolist() == [[0, 255, 2], [3, 3, 255]]
    assert mapping.truth(np.array([[7]], np.uint8)).tolist() == [[7]]  # for the metrics to refuse
    confusion = Confusion(5)
    confusion.add(counted, np.array([[0, 0, 2], [3, 0, 0]], np.uint8))
    # sign is not a class with truth; of two persons, the rider is not found.
    np.testing.assert_array_equal(confusion.class_iou(), [0.5, np.nan, 1, 0.5, np.nan])
    assert confusion.mean_iou() == pytest.approx(2 / 3)


def test_logits_of_another_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'must have 5 classes along dim -1, got \[2, 6\]'):
        load(tmp_path).merge(torch.zeros(2, 6))


def change(old: str, new: str) -> str:
    assert old in FILE
    return FILE.replace(old, new)


@pytest.mark.parametrize(('text', 'said'), [
    ('', 'must be a mapping, got NoneType: write it like config/mapping_vspw_to_cityscapes'),
    ('target: labels.yaml', 'must have the keys target and classes .*, got target'),
    (FILE + 'groups: {}', 'must have the keys .* got target, classes, truth, groups'),
    (FILE + 'target: labels.yaml', "'target' is there twice"),
    (change('labels.yaml', '[road]'), r"target must be the path .* got \['road'\]"),
    (change('road: [road]', 'Road: [road]'), "'Road' is no class of the target: .* mean road"),
    (change('road: [road]', '1: [road]'), 'a name must be text, got 1'),
    (change('road: [road]', 'road: [rode]'),
     "class 'road': 'rode' is no class of the source: did you mean road"),
    (change('road: [road]', 'road: [zzz]'), 'its classes are tree, road, toy, flower, person'),
    (change('road: [road]', 'road: [yes]'), "class 'road': a name must be text, got True"),
    (change('road: [road]', 'road: road'), "class 'road' must be a list of source classes, got"),
    (change('road: [road]', 'road: []'), "class 'road' must be a list .* leave it out"),
    (change('road: [road]', 'road: [tree]'),
     "source class 'tree' must be in one target class, got 'road' and 'green'"),
    (change('road: [road]', 'road: [road, road]'), "must be in one .* got 'road' and 'road'"),
    ('target: labels.yaml\nclasses: [road]', 'classes must map target classes to lists'),
    (change('{rider: person}', '[rider]'), r"truth must map .* got \['rider'\]"),
    (change('{rider: person}', '{ridr: person}'), "'ridr' is no class of the target: .* rider"),
    (change('{rider: person}', '{rider: sign}'), "count as one with them, got 'rider' as 'sign'"),
    (change('{rider: person}', '{road: person}'), "count as one .* got 'road' as 'person'"),
])
def test_what_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ClassFileError, match=said) as refused:
        load(tmp_path, text)
    assert str(refused.value).startswith(f'mapping {tmp_path / "mapping.yaml"}')
    assert '\n' not in str(refused.value)


def test_a_target_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassFileError, match='none.yaml cannot be read'):
        load(tmp_path, change('labels.yaml', 'none.yaml'))


def test_a_target_of_too_many_classes(tmp_path: Path) -> None:
    (tmp_path / 'many.yaml').write_text(
        '\n'.join(f'c{index}: [0, 0, {index % 256}]' for index in range(256)))
    with pytest.raises(ClassFileError, match='at most 255 classes, got 256'):
        load(tmp_path, 'target: many.yaml\nclasses: {c0: [road]}')


def test_vspw_to_cityscapes() -> None:
    names = read_labels(CONFIG / 'labels_vspw.yaml').names
    mapping = ClassMapping.load(CONFIG / 'mapping_vspw_to_cityscapes.yaml', names)
    target = mapping.label_set.names
    assert target == read_labels(CONFIG / 'labels_cityscapes.yaml').names
    assert [name for name, there in zip(target, mapping.evaluated, strict=True) if not there] == [
        'traffic sign', 'rider']
    logits = torch.zeros(124)
    logits[[names.index('path'), names.index('other_plant')]] = torch.tensor([3.0, 2.0])
    merged = dict(zip(target, mapping.merge(logits).tolist(), strict=True))
    assert (merged['sidewalk'], merged['vegetation'], merged['rider']) == (3, 2, NEVER)
    assert sum(value == 0 for value in merged.values()) == 15
    truth = dict(zip(target, mapping.truth(np.arange(19, dtype=np.uint8)), strict=True))
    assert truth['rider'] == truth['person'] == target.index('person')
    assert truth['traffic sign'] == 255


def test_ade20k_to_vspw() -> None:
    names = read_labels(CONFIG / 'labels_ade20k.yaml').names
    mapping = ClassMapping.load(CONFIG / 'mapping_ade20k_to_vspw.yaml', names)
    target = mapping.label_set.names
    assert len(target) == 124
    assert (~mapping.evaluated).sum() == 43
    into = {name: target[index] if index < 124 else '' for name, index in zip(
        names, mapping.target_of, strict=True)}
    assert [into[name] for name in ('minibike', 'toilet', 'pot', 'sidewalk', 'field')] == [
        'motorcycle', 'commode', 'flower_pot_or_vase', 'path', '']
    # Every name that both data sets have means the same in both.
    same = set(names) & set(target)
    assert len(same) > 40
    assert {name for name in same if into[name] != name} == set()
