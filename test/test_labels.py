from __future__ import annotations

import numpy as np
import pytest
import torch

from ditta_ros.errors import ModelError
from ditta_ros.labels import (
    UNLABELLED,
    UNLABELLED_WIDE,
    LabelSet,
    default_palette,
    label_dtype,
    unlabelled_in,
)


def test_names_are_in_index_order_whatever_the_order_of_the_config() -> None:
    label_set = LabelSet.from_model_config({1: 'sky', 0: 'road'})
    assert label_set.names == ('road', 'sky')
    assert len(label_set) == 2


def test_default_colours_are_distinct_and_not_the_black_of_unlabelled() -> None:
    palette = default_palette(255)
    assert palette.shape == (255, 3) and palette.dtype == np.uint8
    assert len(np.unique(palette, axis=0)) == 255
    assert palette.any(1).all()
    np.testing.assert_array_equal(palette[:3], [[128, 0, 0], [0, 128, 0], [128, 128, 0]])


def test_the_first_colours_do_not_depend_on_the_number_of_classes() -> None:
    np.testing.assert_array_equal(default_palette(12), default_palette(124)[:12])


@pytest.mark.parametrize('convert', [np.asarray, torch.as_tensor], ids=['numpy', 'torch'])
def test_colorize(convert) -> None:
    label_set = LabelSet.from_model_config({0: 'road', 1: 'sky'}, [[10, 20, 30], [40, 50, 60]])
    label = convert(np.array([[0, 1, UNLABELLED]], np.uint8))
    rgb = label_set.colorize(label)
    assert isinstance(rgb, type(label))
    np.testing.assert_array_equal(
        np.asarray(rgb), np.array([[[10, 20, 30], [40, 50, 60], [0, 0, 0]]], np.uint8))
    assert np.asarray(rgb).dtype == np.uint8


def numbered(classes: int) -> LabelSet:
    return LabelSet.from_model_config({index: str(index) for index in range(classes)})


@pytest.mark.parametrize(('classes', 'dtype', 'unlabelled'), [
    (1, torch.uint8, 255), (255, torch.uint8, 255), (256, torch.int32, 65535),
    (65535, torch.int32, 65535)])
def test_class_255_would_be_unlabelled_so_labels_are_wider(classes, dtype, unlabelled) -> None:
    assert label_dtype(classes) == dtype
    assert unlabelled_in(torch.zeros(1, dtype=dtype)) == unlabelled
    assert numbered(classes).unlabelled == unlabelled


def test_class_65535_would_be_unlabelled() -> None:
    with pytest.raises(ModelError, match='must have 1 to 65535 classes, .* got 65536'):
        numbered(65536)


@pytest.mark.parametrize('convert', [
    lambda label: label.astype(np.uint16), torch.as_tensor], ids=['numpy', 'torch'])
def test_wide_labels_are_colorized(convert) -> None:
    label_set = numbered(300)
    rgb = label_set.colorize(convert(np.array([[299, UNLABELLED, UNLABELLED_WIDE]], np.int32)))
    expected = [[label_set.palette[299], label_set.palette[255], [0, 0, 0]]]
    np.testing.assert_array_equal(np.asarray(rgb), np.array(expected))


@pytest.mark.parametrize(('id2label', 'palette', 'message'), [
    ({}, None, 'got 0'),
    ({1: 'road', 2: 'sky'}, None, r'from 0 without gaps, got \[1, 2\]'),
    ({0: 'road', 1: 'sky'}, [[1, 2, 3]], 'each of the 2 classes'),
    ({0: 'road'}, [[1, 2, 256]], 'triple of 0..255'),
    ({0: 'road'}, [[1, 2]], 'triple of 0..255'),
    ({0: 'road'}, 'red', 'triple of 0..255'),
    ({0: 'road'}, [[0.5, 0.1, 0.2]], 'triple of 0..255'),
    ({0: 'road'}, [1], 'triple of 0..255'),
    ({0: 'road'}, [['1', '2', '3']], 'triple of 0..255'),
], ids=['none', 'gap', 'short', 'range', 'pair', 'word', 'fraction', 'flat', 'text'])
def test_what_is_refused(id2label, palette, message) -> None:
    with pytest.raises(ModelError, match=message):
        LabelSet.from_model_config(id2label, palette)
