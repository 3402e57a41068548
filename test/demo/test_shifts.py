"""Shifts: graded, deterministic, and the identity at strength 0."""

import numpy as np
import pytest

from ditta_ros.demo.shifts import KINDS, Shift, parse

SIZE_PX = (96, 128)


@pytest.fixture
def picture() -> np.ndarray:
    """Return a picture of 8x8 px tiles, uint8 [96, 128, 3]."""
    tiles = np.random.default_rng(1).integers(20, 230, (12, 16, 3)).astype(np.uint8)
    return np.kron(tiles, np.ones((8, 8, 1), np.uint8))


@pytest.fixture
def depth_m() -> np.ndarray:
    """Return depths that fall from 40 m in the top row to 3 m in the bottom row."""
    return np.repeat(np.linspace(40, 3, 96, dtype=np.float32)[:, None], 128, axis=1)


def grey(value: int) -> np.ndarray:
    return np.full((*SIZE_PX, 3), value, np.uint8)


@pytest.mark.parametrize('kind', KINDS)
def test_strength_0_changes_nothing_and_copies(kind, picture, depth_m):
    before = picture.copy()
    out = Shift(kind, 0.0).apply(picture, depth_m)
    assert np.array_equal(out, picture)
    out[:] = 0
    assert np.array_equal(picture, before)


@pytest.mark.parametrize('kind', KINDS)
def test_more_strength_leads_farther_from_the_clean_picture(kind, picture, depth_m):
    away = []
    for strength in (.3, .6, 1.0):
        out = Shift(kind, strength).apply(picture, depth_m, 4, 9)
        assert out.dtype == np.uint8
        assert out.shape == picture.shape
        away.append(np.abs(out.astype(float) - picture).mean())
    assert 0 < away[0] < away[1] < away[2]


@pytest.mark.parametrize('kind', KINDS)
def test_seed_and_frame_index_fix_the_result(kind, picture, depth_m):
    shift = Shift(kind, .6)
    first = shift.apply(picture, depth_m, 3, 7)
    shift.apply(picture, depth_m, 4, 7)
    assert np.array_equal(shift.apply(picture, depth_m, 3, 7), first)
    same_next = np.array_equal(shift.apply(picture, depth_m, 4, 7), first)
    assert same_next == (kind not in ('noise', 'low_light'))
    same_seed = np.array_equal(shift.apply(picture, depth_m, 3, 8), first)
    assert same_seed == (kind not in ('noise', 'low_light', 'patchy_light'))


def test_fog_follows_koschmieders_law(depth_m):
    out = Shift('fog', .5).apply(grey(51), depth_m)  # 51 is .2
    clear = np.exp(-.15 * .5 * 40.0)
    red = .94 * (.2 * clear + .78 * (1 - clear)) + .06
    assert out[0, 0, 0] == int(red * 255 + .5)
    assert out[0, 0, 0] > out[95, 0, 0] > 51


def test_noise_has_the_standard_deviation_of_its_strength(depth_m):
    out = Shift('noise', .5).apply(grey(128), depth_m).astype(float)
    assert out.std() == pytest.approx(.1 * 255, rel=.03)
    assert out.mean() == pytest.approx(128, abs=1)


def test_low_light_is_gamma_and_gain(depth_m):
    out = Shift('low_light', 1.0).apply(grey(204), depth_m).astype(float)  # 204 is .8
    assert out.mean() == pytest.approx(.22 * .8 ** 1.9 * 255, abs=1)


def test_colour_cast_is_warm(depth_m):
    out = Shift('colour_cast', 1.0).apply(grey(100), depth_m)
    # 100 * 1.5 + .06 * 255; 100 * .9 + .02 * 255; 100 * .38
    assert out[5, 5].tolist() == [165, 95, 38]


def test_blur_leaves_a_flat_picture_flat(depth_m):
    assert np.array_equal(Shift('blur', 1.0).apply(grey(90), depth_m), grey(90))


def test_patchy_light_darkens_some_places_and_leaves_others(depth_m):
    out = Shift('patchy_light', 1.0).apply(grey(200), depth_m, 0, 3)
    assert out.min() < 80
    assert (out == 200).all(axis=2).any()
    assert out.max() <= 200


def test_parse_reads_what_str_writes():
    assert parse('clean') is None
    assert parse('fog:0.3') == Shift('fog', .3)
    assert str(Shift('low_light', .25)) == 'low_light:0.25'
    assert parse(str(Shift('noise', .7))) == Shift('noise', .7)


@pytest.mark.parametrize('text', ['fog', 'fog:', 'fog:much', 'fog:1.5', 'fog:-0.1', 'fog:nan',
                                  'rain:0.3', '', 'clean:0.5'])
def test_parse_refuses_what_it_cannot_read(text):
    with pytest.raises(ValueError, match='clean or kind:strength') as caught:
        parse(text)
    assert repr(text) in str(caught.value)


def test_a_shift_names_the_rule_that_it_breaks():
    with pytest.raises(ValueError, match=r"one of fog, noise.*got 'rain'"):
        Shift('rain', .3)
    with pytest.raises(ValueError, match=r'strength of shift fog must be 0\.\.1, got 2'):
        Shift('fog', 2)
