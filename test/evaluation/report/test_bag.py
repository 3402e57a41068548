from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ditta_ros.evaluation.bags import BagError, bag_source
from ditta_ros.evaluation.report.bag import overlay, write_bag
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.sources import open_source
from ditta_ros.labels import LabelSet


def test_images_masks_and_overlays_on_the_sources_stamps(
    run: Path, source: str, tmp_path: Path,
) -> None:
    out = tmp_path / 'bag'
    assert list(write_bag(run, out)) == ['iss', 'ditta']
    frames = list(open_source(source))
    written = list(bag_source(out, '/camera/image_raw'))
    assert [each.stamp_ns for each in written] == [each.stamp_ns for each in frames]
    for each, frame in zip(written, frames, strict=True):
        np.testing.assert_array_equal(each.rgb, frame.rgb)
        np.testing.assert_array_equal(each.label, frame.label)
    masks = list(bag_source(out, '/ditta/segmentation/mask'))
    expected = [frame for index, frame in enumerate(frames) if index != 3]  # 3 was not labelled
    assert [each.stamp_ns for each in masks] == [each.stamp_ns for each in expected]
    for each, frame in zip(masks, expected, strict=True):
        np.testing.assert_array_equal(each.rgb[:, :, 0], frame.label)
    assert len(list(bag_source(out, '/iss/segmentation/overlay'))) == 8


def test_what_there_is_no_outcome_of(run: Path, source: str, tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r'no outcome of other .* name one of .*source'):
        write_bag(run, tmp_path / 'bag', 'other')
    with pytest.raises(BagError, match='no outcome of any source'):
        write_bag(tmp_path, tmp_path / 'bag')
    assert not (tmp_path / 'bag').exists()


def test_masks_that_are_gone(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(next(path for path in run.iterdir() if path.name.startswith('ditta-')
                       and path.is_dir()))
    with pytest.raises(SourceError, match='no bag of masks there'):
        write_bag(run, tmp_path / 'bag')


def test_a_bag_that_exists_is_kept(run: Path, tmp_path: Path) -> None:
    (tmp_path / 'bag').mkdir()
    with pytest.raises(BagError, match='exists already'):
        write_bag(run, tmp_path / 'bag')


def test_overlay() -> None:
    """Half of the colour and half of the frame; a pixel without class is the frame's."""
    labels = LabelSet(('a', 'b'), np.array([[200, 0, 0], [0, 100, 0]], np.uint8))
    rgb = np.full((1, 3, 3), 100, np.uint8)
    got = overlay(rgb, np.array([[0, 1, 255]], np.uint8), labels)
    np.testing.assert_array_equal(got, [[[150, 50, 50], [50, 100, 50], [100, 100, 100]]])
