"""Folders of images with labels, of whatever names; labels of every kind of file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.sources import expand_sources, open_source
from saved_images import HEIGHT, WIDTH, picture, save

CAMVID = Path(__file__).parents[3] / 'shared' / 'data' / 'camvid_1hz'


def label(index: int) -> np.ndarray:
    """Return uint8 [H, W], 0..11, and 255 in the first column."""
    label = np.random.default_rng(index + 100).integers(0, 12, (HEIGHT, WIDTH), np.uint8)
    label[:, 0] = 255
    return label


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Four images, of which the second has no label."""
    for index in range(4):
        save(tmp_path / 'images' / f'{index}.png', picture(index))
        if index != 1:
            save(tmp_path / 'labels' / f'{index}.png', label(index))
    return tmp_path


def assert_is_drive(spec: str) -> None:
    source = open_source(spec)
    frames = list(source)
    assert (source.length_frames, source.has_truth, source.skipped) == (4, True, {})
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, picture(index))
        if index == 1:
            assert frame.label is None
        else:
            assert frame.label is not None and frame.label.dtype == np.uint8
            np.testing.assert_array_equal(frame.label, label(index))


def test_labels_beside_the_images(drive: Path) -> None:
    assert_is_drive(str(drive))
    assert_is_drive(str(drive / 'images'))
    assert expand_sources(str(drive)) == [str(drive)]


def test_labels_in_the_folder_of_the_images(drive: Path) -> None:
    (drive / 'images').rename(drive / 'camera')
    (drive / 'labels').rename(drive / 'camera' / 'labels')
    assert_is_drive(str(drive / 'camera'))


def test_folders_of_any_name(drive: Path) -> None:
    (drive / 'images').rename(drive / 'front')
    (drive / 'labels').rename(drive / 'front_seg')
    assert not open_source(str(drive / 'front')).has_truth
    spec = f'images={drive}/front,labels={drive}/front_seg'
    assert_is_drive(spec)
    assert expand_sources(spec) == [spec]


def test_labels_of_something_else_are_left_alone(drive: Path) -> None:
    (drive / 'images').rename(drive / 'front')
    assert not open_source(str(drive / 'front')).has_truth


def test_a_folder_labels_without_label_images(drive: Path) -> None:
    for path in (drive / 'labels').iterdir():
        path.rename(path.with_suffix('.txt'))
    assert not open_source(str(drive)).has_truth


def test_rate_ignore_and_beginning(drive: Path) -> None:
    save(drive / 'images' / 'b7.png', picture(7))
    save(drive / 'labels' / 'b7.png', label(7))
    save(drive / 'images' / 'b12.png', picture(12))
    source = open_source(
        f'images={drive}/images,labels={drive}/labels,rate=2,ignore=11,begins=b')
    frames = list(source)
    assert (source.rate_hz, [frame.stamp_ns for frame in frames]) == (2.0, [10**9, 15 * 10**8])
    np.testing.assert_array_equal(frames[0].rgb, picture(7))
    assert (label(7) == 11).any()
    np.testing.assert_array_equal(frames[0].label, np.where(label(7) == 11, 255, label(7)))


def test_a_palette_is_read_by_its_numbers(drive: Path) -> None:
    for index in (0, 2, 3):
        image = Image.fromarray(label(index))
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
        image.save(drive / 'labels' / f'{index}.png')
    with Image.open(drive / 'labels' / '0.png') as image:
        assert image.mode == 'P'
    assert_is_drive(str(drive))


def test_a_broken_label_leaves_its_image(drive: Path) -> None:
    whole = (drive / 'labels' / '0.png').read_bytes()
    (drive / 'labels' / '0.png').write_bytes(whole[:len(whole) // 2])
    (drive / 'labels' / '2.png').write_bytes(b'no png')
    source = open_source(str(drive))
    frames = list(source)
    assert source.skipped == {'cannot be read as a label image': 2}
    assert [frame.label is not None for frame in frames] == [False, False, False, True]
    np.testing.assert_array_equal(frames[0].rgb, picture(0))


@pytest.mark.parametrize(('dtype', 'channels', 'mode'), [
    (np.uint8, 3, 'RGB'), (np.uint8, 4, 'RGBA'), (np.uint16, 0, 'I;16')])
def test_labels_of_another_kind_are_an_error(
    drive: Path, dtype: type, channels: int, mode: str,
) -> None:
    shape = (HEIGHT, WIDTH, channels) if channels else (HEIGHT, WIDTH)
    save(drive / 'labels' / '0.png', np.zeros(shape, dtype))
    with pytest.raises(SourceError, match=f'0.png: a label image has one channel .* got {mode}'):
        list(open_source(str(drive)))


def test_a_label_must_have_the_size_of_its_image(drive: Path) -> None:
    save(drive / 'labels' / '2.png', label(2)[:, 1:])
    with pytest.raises(SourceError, match=f'got {WIDTH - 1}x{HEIGHT} for {WIDTH}x{HEIGHT}'):
        list(open_source(str(drive)))


@pytest.mark.parametrize(('spec', 'says'), [
    ('images={}/none', 'no such folder .*none'),
    ('images={}/images,labels={}/none', 'no such folder .*none'),
    ('images={}/images,lables={}/labels', "of folders are images, labels, .* got 'lables="),
    ('images={}/images,images={}/images', "once each, got 'images="),
    ('images={}/images,rate', "got 'rate'"),
    ('images={}/images,rate=fast', 'could not convert'),
    ('images={}/images,rate=0', 'rate must be 0..1000 Hz'),
    ('images={}/images,rate=nan', 'rate must be 0..1000 Hz'),
    ('images={}/images,ignore=256', 'ignore 0..255'),
    ('images={}/images,ignore=1.5', 'invalid literal'),
    ('images={}/images,begins=x', "no image that begins with 'x' in it"),
    ('images={}/images,labels={}/other', 'a label image has the name .* none of 0.png'),
    ('images={}/images,labels={}/empty', 'a label image has the name .* none of 0.png'),
    ('{}/empty', 'no image in it'),
])
def test_what_cannot_be_opened(drive: Path, spec: str, says: str) -> None:
    save(drive / 'other' / '17.png', label(0))
    (drive / 'empty').mkdir()
    with pytest.raises(SourceError, match=says) as caught:
        open_source(spec.replace('{}', str(drive)))
    assert '\n' not in str(caught.value)


def test_camvid() -> None:
    """Real images: four recordings in one folder."""
    if not CAMVID.is_dir():
        pytest.skip(f'no CamVid: {CAMVID} is missing')
    ignore = json.loads((CAMVID / 'classes.json').read_text())['ignore_index']
    with (CAMVID / 'frames.csv').open() as file:
        names = [row['file'] for row in csv.DictReader(file) if row['sequence'] == '0001TP']
    source = open_source(
        f'images={CAMVID}/images,labels={CAMVID}/labels,rate=1,ignore={ignore},begins=0001TP_')
    assert source.length_frames == len(names) > 0
    first = next(iter(source))
    with Image.open(CAMVID / 'labels' / f'{names[0]}.png') as image:
        raw = np.array(image)
    assert first.rgb.shape == (360, 480, 3)
    assert (raw == ignore).any()
    np.testing.assert_array_equal(first.label, np.where(raw == ignore, 255, raw))
