"""Sources: what is read is what was written, and broken input says what and where."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from ditta_ros.demo.world import NAMES, stream
from ditta_ros.evaluation.make_bag import main as make_bag
from ditta_ros.evaluation.source import Skipped, Source, SourceError, SourceFrame
from ditta_ros.evaluation.sources import open_source

HEIGHT, WIDTH = 24, 40


def picture(index: int) -> np.ndarray:
    """Return uint8 [H, W, 3], red growing to the right, green with ``index``, blue half below."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:, :, 0] = np.linspace(0, 255, WIDTH)
    rgb[:, :, 1] = 20 * index
    rgb[HEIGHT // 2:, :, 2] = 200
    return rgb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(12):
        cv2.imwrite(str(tmp_path / f'view{index}.png'), picture(index)[:, :, ::-1])
    (tmp_path / 'notes.txt').write_text('not an image')
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / 'clip.avi'
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*'MJPG'), 12.5, (WIDTH, HEIGHT))
    for index in range(10):
        writer.write(np.ascontiguousarray(picture(index)[:, :, ::-1]))
    writer.release()
    return path


def test_folder_in_the_order_of_its_numbers(folder: Path) -> None:
    source = open_source(str(folder))
    frames = list(source)
    assert source.length_frames == len(frames) == 12
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.rgb, picture(index), err_msg=f'image {index}')
        assert frame.label is None
    assert np.diff([frame.stamp_ns for frame in frames]).tolist() == [10**8] * 11


def test_video(video: Path) -> None:
    source = open_source(str(video))
    frames = list(source)
    assert source.length_frames == len(frames) == 10
    assert source.rate_hz == pytest.approx(12.5)
    for index, frame in enumerate(frames):
        assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
        # JPEG and its chroma at half the resolution; red and blue swapped would be 100 away.
        assert np.abs(frame.rgb.astype(int) - picture(index)).mean() < 8, f'frame {index}'
    assert np.diff([frame.stamp_ns for frame in frames]).tolist() == [8 * 10**7] * 9


def test_reading_twice_gives_the_same(video: Path) -> None:
    source = open_source(str(video))
    first, second = list(source), list(source)
    assert [frame.stamp_ns for frame in first] == [frame.stamp_ns for frame in second]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(first, second, strict=True))


def test_world() -> None:
    source = open_source('world:seed=3,shift=fog:0.3,frames=2,rate=5')
    frames = list(source)
    assert (source.length_frames, source.rate_hz, source.has_truth) == (2, 5.0, True)
    clean = list(stream(3, 2, 5.0))
    for frame, expected in zip(frames, clean, strict=True):
        assert frame.rgb.shape == (192, 256, 3)
        assert not np.array_equal(frame.rgb, expected.rgb)  # fog
        assert frame.label is not None and frame.label.max() < len(NAMES)
        np.testing.assert_array_equal(frame.label, expected.semantic)
    assert frames[1].stamp_ns - frames[0].stamp_ns == 2 * 10**8


@pytest.mark.parametrize(('spec', 'says'), [
    ('nowhere.mp4', 'nowhere.mp4: no such file or folder'),
    ('world:sed=7', "of world are seed, shift, frames, rate, once each, got 'sed=7': write key="),
    ('world:seed=7,frames=3,seed=8', "once each, got 'seed=8'"),
    ('world:frames', "once each, got 'frames'"),
    ('world:seed=x', 'world:seed=x: invalid literal'),
    ('world:seed=-1', 'seed must be >= 0'),
    ('world:frames=0', 'frames >= 1'),
    ('world:shift=rain:0.5', "shift must be clean or .*got 'rain:0.5'"),
])
def test_what_cannot_be_opened(spec: str, says: str) -> None:
    with pytest.raises(SourceError, match=says) as caught:
        open_source(spec)
    assert '\n' not in str(caught.value)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='no image in it'):
        open_source(str(tmp_path))


def test_file_that_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / 'text.mp4'
    path.write_text('hello')
    with pytest.raises(SourceError, match=r'text.mp4: cannot be read as a video'):
        open_source(str(path))


def test_broken_images_are_skipped_and_counted(
    folder: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    data = (folder / 'view3.png').read_bytes()
    (folder / 'view3.png').write_bytes(b'no png')
    (folder / 'view4.png').write_bytes(data[:20])
    (folder / 'view11.png').write_bytes(b'')
    source = open_source(str(folder))
    for _ in range(2):  # each iteration counts anew
        caplog.clear()
        frames = list(source)
        assert source.skipped == {'cannot be read as an image': 3}
        assert [record.getMessage() for record in caplog.records] == [
            f'{folder}: 3 skipped, the first view3.png: cannot be read as an image']
    assert source.length_frames == 12
    # The others keep their place in time.
    assert [(frame.stamp_ns - 10**9) // 10**8 for frame in frames] == [0, 1, 2, 5, 6, 7, 8, 9, 10]
    np.testing.assert_array_equal(frames[3].rgb, picture(5))


def test_a_jpeg_that_is_cut_is_skipped(tmp_path: Path) -> None:
    """Decoders make an image of it, gray from the cut on."""
    for index in range(3):
        cv2.imwrite(str(tmp_path / f'{index}.jpg'), picture(index)[:, :, ::-1])
    data = (tmp_path / '1.jpg').read_bytes()
    (tmp_path / '1.jpg').write_bytes(data[:len(data) * 9 // 10])
    source = open_source(str(tmp_path))
    assert [frame.stamp_ns for frame in source] == [10**9, 12 * 10**8]
    assert source.skipped == {'cannot be read as an image': 1}


def test_nothing_but_broken_images(folder: Path) -> None:
    for path in folder.glob('*.png'):
        path.write_bytes(b'no png')
    with pytest.raises(SourceError, match=(
            'no frame in it that can be read, 12 cannot, the first is view0.png: cannot be read')):
        list(open_source(str(folder)))


def test_one_line_for_each_cause_whatever_its_numbers(caplog: pytest.LogCaptureFixture) -> None:
    def read():
        yield Skipped('message 0', 'step must be >= 12, got 3')
        yield SourceFrame(0, picture(0))
        yield Skipped('message 2', 'step must be >= 12, got 4')
        yield Skipped('chunk 7', 'checksum', 5)

    source = Source('made', 9, 10.0, False, read)
    assert len(list(source)) == 1
    assert source.skipped == {'step must be >= 12, got 3': 2, 'checksum': 5}
    assert [record.getMessage() for record in caplog.records] == [
        'made: 2 skipped, the first message 0: step must be >= 12, got 3',
        'made: 5 skipped, the first chunk 7: checksum']


def test_cut_video_says_how_far_it_went(video: Path) -> None:
    data = video.read_bytes()
    index_start = data.rindex(b'idx1')  # keep the index, so that ten frames are announced
    cut = data[:index_start // 2]
    video.write_bytes(cut + bytes(index_start - len(cut)) + data[index_start:])
    with pytest.raises(SourceError, match=r'clip.avi: reading stopped after frame \d of 10'):
        list(open_source(str(video)))


def test_size_must_stay(folder: Path) -> None:
    cv2.imwrite(str(folder / 'view5.png'), np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8))
    with pytest.raises(SourceError, match=f'{WIDTH}x{HEIGHT} and, at frame 5, {WIDTH + 2}x'):
        list(open_source(str(folder)))


def test_label_must_have_the_size_of_its_frame() -> None:
    def read():
        yield SourceFrame(0, picture(0), np.zeros((WIDTH, HEIGHT), np.uint8))
    with pytest.raises(SourceError, match=f'got {HEIGHT}x{WIDTH} for {WIDTH}x{HEIGHT}'):
        list(Source('made', 1, 10.0, True, read))


def test_leaving_early_closes_the_input() -> None:
    closed = []

    def read():
        try:
            for index in range(3):
                yield SourceFrame(index, picture(index))
        finally:
            closed.append(True)

    frames = iter(Source('made', 3, 10.0, False, read))
    next(frames)
    assert not closed
    frames.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_make_bag_and_read_it(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bag = tmp_path / 'made'
    assert make_bag([str(folder), str(bag)]) == 0
    assert f'{bag}: 12 frames' in capsys.readouterr().out
    for got, expected in zip(open_source(str(bag)), open_source(str(folder)), strict=True):
        np.testing.assert_array_equal(got.rgb, expected.rgb)
        assert (got.stamp_ns, got.frame_id) == (expected.stamp_ns, expected.frame_id)


def test_make_bag_keeps_truth_and_tells_what_it_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    for name in ('images', 'labels'):
        (tmp_path / name).mkdir()
    for index in range(4):
        cv2.imwrite(str(tmp_path / 'images' / f'{index}.png'), picture(index)[:, :, ::-1])
        cv2.imwrite(str(tmp_path / 'labels' / f'{index}.png'), picture(index)[:, :, 1])
    (tmp_path / 'images' / '2.png').write_bytes(b'')
    bag = tmp_path / 'made'
    assert make_bag([str(tmp_path), str(bag)]) == 0
    assert f'{bag}: 3 frames, 1 skipped' in capsys.readouterr().out
    frames = list(open_source(str(bag)))
    assert [frame.stamp_ns for frame in frames] == [10**9, 11 * 10**8, 13 * 10**8]
    for index, frame in zip((0, 1, 3), frames, strict=True):
        np.testing.assert_array_equal(frame.rgb, picture(index))
        np.testing.assert_array_equal(frame.label, picture(index)[:, :, 1])


def test_make_bag_tells_why_not(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert make_bag([str(tmp_path / 'none.mp4'), str(tmp_path / 'bag')]) == 2
    assert 'none.mp4: no such file or folder' in capsys.readouterr().err
    assert make_bag(['world:frames=1', str(tmp_path)]) == 2
    assert 'exists already' in capsys.readouterr().err
