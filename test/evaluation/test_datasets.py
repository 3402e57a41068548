"""VSPW and Cityscapes as they are unpacked, in small; what is missing is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ditta_ros.class_files import read_labels
from ditta_ros.evaluation.datasets import TRAIN_ID_ORDER
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.sources import expand_sources, open_source
from saved_images import HEIGHT, WIDTH, picture, save

CONFIG = Path(__file__).parents[2] / 'config'
# Cityscapes' own list of classes with a train id, by label id.
CITYSCAPES_IDS = {
    'road': 7, 'sidewalk': 8, 'building': 11, 'wall': 12, 'fence': 13, 'pole': 17,
    'traffic light': 19, 'traffic sign': 20, 'vegetation': 21, 'terrain': 22, 'sky': 23,
    'person': 24, 'rider': 25, 'car': 26, 'truck': 27, 'bus': 28, 'train': 31, 'motorcycle': 32,
    'bicycle': 33}


def values(*given: int) -> np.ndarray:
    """Return uint8 [H, W] whose first row begins with the values given; 255 elsewhere."""
    pixels = np.full((HEIGHT, WIDTH), 255, np.uint8)
    pixels[0, :len(given)] = given
    return pixels


@pytest.fixture
def vspw(tmp_path: Path) -> Path:
    """Three videos of two frames, two of them in val.txt; the last is of the test split."""
    root = tmp_path / 'VSPW_480p'
    for video in ('0_wHAG', '12_abc', '127_t'):
        for frame in (87, 116):
            save(root / 'data' / video / 'origin' / f'{frame:08d}.jpg', picture(frame))
            if video != '127_t':
                save(root / 'data' / video / 'mask' / f'{frame:08d}.png',
                     values(0, 1, 124, frame))
    (root / 'val.txt').write_text('12_abc\n0_wHAG\n')
    (root / 'train.txt').write_text('0_wHAG\r\n')
    (root / 'test.txt').write_text('127_t\n')
    return root


def test_vspw_is_its_videos(vspw: Path) -> None:
    data = vspw / 'data'
    assert expand_sources(str(vspw)) == [str(data / '12_abc'), str(data / '0_wHAG')]
    assert expand_sources(str(vspw / 'train.txt')) == [str(data / '0_wHAG')]
    assert expand_sources(str(data / '0_wHAG')) == [str(data / '0_wHAG')]


def test_a_video_of_vspw(vspw: Path) -> None:
    source = open_source(expand_sources(str(vspw))[0])
    frames = list(source)
    assert (source.length_frames, source.rate_hz, source.has_truth) == (2, 15.0, True)
    for frame, number in zip(frames, (87, 116), strict=True):
        assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
        # Values 1..124 are classes 0..123; 0 and 255 are none.
        np.testing.assert_array_equal(frame.label, values(255, 0, 123, number - 1))
    assert frames[1].stamp_ns - frames[0].stamp_ns == round(10**9 / 15)


def test_the_test_split_has_no_truth(vspw: Path) -> None:
    source = open_source(expand_sources(str(vspw / 'test.txt'))[0])
    assert not source.has_truth
    assert [frame.label for frame in source] == [None, None]


def test_a_broken_mask_of_vspw_is_skipped(vspw: Path) -> None:
    (vspw / 'data' / '0_wHAG' / 'mask' / '00000087.png').write_bytes(b'')
    source = open_source(str(vspw / 'data' / '0_wHAG'))
    assert [frame.label is not None for frame in source] == [False, True]
    assert sum(source.skipped.values()) == 1


@pytest.mark.parametrize(('damage', 'says'), [
    ('video', r"val.txt: video '12_abc' has no folder .*12_abc/origin: unpack"),
    ('empty list', 'val.txt: no video in it'),
    ('binary list', 'val.txt: cannot be read as a list of videos'),
])
def test_what_vspw_lacks_is_named(vspw: Path, damage: str, says: str) -> None:
    if damage == 'video':
        shutil.rmtree(vspw / 'data' / '12_abc')
    else:
        (vspw / 'val.txt').write_bytes(b'' if damage == 'empty list' else b'\xff\xfe')
    with pytest.raises(SourceError, match=says) as caught:
        expand_sources(str(vspw))
    assert '\n' not in str(caught.value)


def test_a_video_of_vspw_without_images_or_masks(vspw: Path) -> None:
    video = vspw / 'data' / '0_wHAG'
    for mask in (video / 'mask').iterdir():
        mask.unlink()
    with pytest.raises(SourceError, match='mask: a label image has the name of its image'):
        open_source(str(video))
    for image in (video / 'origin').iterdir():
        image.unlink()
    with pytest.raises(SourceError, match='origin: no image in it'):
        open_source(str(video))


@pytest.fixture
def cityscapes(tmp_path: Path) -> Path:
    """Two snippets of one city, one of another, and one of the split train."""
    root = tmp_path / 'cityscapes'
    snippets = (('val', 'frankfurt', '000000', 294), ('val', 'frankfurt', '000001', 19),
                ('val', 'munster', '000000', 19), ('train', 'ulm', '000000', 19))
    for split, city, sequence, labelled in snippets:
        for frame in range(labelled - 19, labelled + 11):
            save(root / 'leftImg8bit_sequence' / split / city /
                 f'{city}_{sequence}_{frame:06d}_leftImg8bit.png', picture(frame))
        stem = root / 'gtFine' / split / city / f'{city}_{sequence}_{labelled:06d}_gtFine'
        save(Path(f'{stem}_labelIds.png'), values(7, 33, 0, 29, 24))
        save(Path(f'{stem}_instanceIds.png'), values(1))
    save(Path(f'{stem}_labelTrainIds.png'), values(0, 18, 255, 255, 11))
    return root


def test_cityscapes_is_its_snippets(cityscapes: Path) -> None:
    val = cityscapes / 'gtFine' / 'val'
    expected = [
        str(val / city / f'{city}_{place}_gtFine_labelIds.png') for city, place in (
            ('frankfurt', '000000_000294'), ('frankfurt', '000001_000019'),
            ('munster', '000000_000019'))]
    assert expand_sources(str(cityscapes)) == expand_sources(str(val)) == expected
    assert expand_sources(str(val / 'munster')) == expected[2:]
    # A frame with both kinds of labels is one snippet.
    train = expand_sources(str(cityscapes / 'gtFine' / 'train'))
    assert [Path(each).name for each in train] == ['ulm_000000_000019_gtFine_labelIds.png']
    assert expand_sources(train[0]) == train


def test_a_snippet_of_cityscapes(cityscapes: Path) -> None:
    first = expand_sources(str(cityscapes))[0]
    source = open_source(first)
    frames = list(source)
    assert (source.length_frames, source.rate_hz, source.has_truth) == (30, 17.0, True)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, picture(275 + index))
        assert (frame.label is None) == (index != 19), index
    np.testing.assert_array_equal(frames[19].label, values(0, 18, 255, 255, 11))
    assert source.skipped == {}


def test_labels_of_cityscapes_may_be_train_ids(cityscapes: Path) -> None:
    folder = cityscapes / 'gtFine' / 'train' / 'ulm'
    by_id, by_train_id = (
        [frame.label for frame in open_source(
            f'{folder}/ulm_000000_000019_gtFine_label{kind}.png')]
        for kind in ('Ids', 'TrainIds'))
    np.testing.assert_array_equal(by_id[19], by_train_id[19])


def test_every_class_of_cityscapes() -> None:
    names = read_labels(CONFIG / 'labels_cityscapes.yaml').names
    assert dict(zip(names, TRAIN_ID_ORDER, strict=True)) == CITYSCAPES_IDS


def test_missing_images_of_a_snippet_are_skipped_and_counted(cityscapes: Path) -> None:
    images = cityscapes / 'leftImg8bit_sequence' / 'val' / 'munster'
    for frame in (0, 18, 25):
        (images / f'munster_000000_{frame:06d}_leftImg8bit.png').unlink()
    source = open_source(expand_sources(str(cityscapes))[2])
    frames = list(source)
    assert source.skipped == {'is missing': 3}
    assert [frame.label is not None for frame in frames] == [False] * 17 + [True] + [False] * 9
    period_ns = 10**9 / 17
    assert frames[0].stamp_ns == 10**9 + round(period_ns)  # the others keep their place in time
    (images / 'munster_000000_000019_leftImg8bit.png').unlink()
    with pytest.raises(SourceError, match=r'its image .*000019_leftImg8bit.png is missing'):
        open_source(expand_sources(str(cityscapes))[2])


def test_a_snippet_at_the_begin_of_its_sequence(cityscapes: Path) -> None:
    """Frame numbers are not below 0."""
    folder = cityscapes / 'gtFine' / 'val' / 'munster'
    label = folder / 'munster_000000_000004_gtFine_labelIds.png'
    (folder / 'munster_000000_000019_gtFine_labelIds.png').rename(label)
    source = open_source(str(label))
    frames = list(source)
    assert len(frames) == source.length_frames == 15
    assert [index for index, frame in enumerate(frames) if frame.label is not None] == [4]


def test_cityscapes_without_labels(cityscapes: Path) -> None:
    for label in (cityscapes / 'gtFine').rglob('*_label*Ids.png'):
        label.unlink()
    with pytest.raises(SourceError, match=r'gtFine/val: no label of Cityscapes in it'):
        expand_sources(str(cityscapes))


@pytest.mark.parametrize('spec', ['world:seed=1', 'nowhere', 'images=a,labels=b', 'clip.mp4'])
def test_what_is_no_data_set_stays_as_it_is(spec: str) -> None:
    assert expand_sources(spec) == [spec]


def test_masks_of_vspw_may_have_a_palette(vspw: Path) -> None:
    path = vspw / 'data' / '12_abc' / 'mask' / '00000087.png'
    image = Image.fromarray(values(0, 1, 124))
    image.putpalette(bytes(range(256)) * 3)
    image.save(path)
    frame = next(iter(open_source(str(vspw / 'data' / '12_abc'))))
    np.testing.assert_array_equal(frame.label, values(255, 0, 123))
