"""Colours of pictures, measured and exchanged."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ditta_ros.colours import LEAST_STD, Colours, part_way, recolour, recoloured_input

GREY = Colours((0.5, 0.5, 0.5), (0.1, 0.1, 0.1))


def halves(left: int, right: int, size_px: tuple[int, int] = (64, 64)) -> torch.Tensor:
    """A grey picture of two halves."""
    picture = torch.full((*size_px, 3), left, dtype=torch.uint8)
    picture[:, size_px[1] // 2:] = right
    return picture


def test_mean_and_contrast_are_those_within_a_picture() -> None:
    # Halves of 51 and 153: mean 102 = 0.4, each 51 = 0.2 away from it.  The second picture is
    # brighter, which is no contrast: mean (0.4 + 0.6) / 2.
    colours = Colours.of([halves(51, 153), halves(102, 204)])
    assert colours.mean == pytest.approx((0.5, 0.5, 0.5))
    assert colours.std == pytest.approx((0.2, 0.2, 0.2))


def test_noise_is_averaged_away_and_channels_are_kept_apart() -> None:
    noise = torch.randint(0, 256, (512, 640, 3), generator=torch.Generator().manual_seed(0))
    noise[:, :, 2] = 255
    colours = Colours.of([noise.to(torch.uint8)])
    # Cells of 20 x 20 px, hence 0.29 / 20 = 0.0145 of the 0.29 that one pixel has.
    assert colours.std[0] == pytest.approx(0.0145, rel=0.2)
    assert colours.mean[2] == 1.0
    assert colours.std[2] == pytest.approx(LEAST_STD)


def test_a_recoloured_picture_has_the_colours_wanted() -> None:
    seen = Colours.of([halves(51, 153)])
    picture = recolour(halves(51, 153), seen, GREY)
    assert picture[0, 0].tolist() == [102] * 3  # 0.5 - 0.1
    assert picture[0, -1].tolist() == [153] * 3  # 0.5 + 0.1
    assert recolour(halves(0, 255), seen, GREY).min() == 76  # 255 * (0.5 - 0.1 * 0.4 / 0.2)


def test_the_segmenters_normalisation_recolours_as_well() -> None:
    seen = Colours((0.4, 0.3, 0.2), (0.2, 0.1, 0.3))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    mean, std = mean.view(3, 1, 1), std.view(3, 1, 1)
    rgb = torch.rand(3, 4, 5)
    by_hand = (rgb - torch.tensor(seen.mean).view(3, 1, 1)) / torch.tensor(
        seen.std).view(3, 1, 1) * 0.1 + 0.5
    new_mean, new_std = recoloured_input(mean, std, seen, GREY)
    torch.testing.assert_close((rgb - new_mean) / new_std, (by_hand - mean) / std)


@pytest.mark.parametrize('values', [
    {'mean': (0.5, 0.5), 'std': (0.1, 0.1, 0.1)},
    {'mean': (0.5, 0.5, 0.5), 'std': (0.1, 0.0, 0.1)},
    {'mean': (0.5, float('nan'), 0.5), 'std': (0.1, 0.1, 0.1)}])
def test_what_are_no_colours_is_refused(values: dict) -> None:
    with pytest.raises(ValueError, match='of colours must be'):
        Colours(**values)


def test_no_picture_is_refused_and_the_type_survives_lists() -> None:
    with pytest.raises(ValueError, match='one picture at least'):
        Colours.of([])
    assert Colours(**{key: list(value) for key, value in dataclasses.asdict(GREY).items()}) == GREY


def test_part_of_the_way_has_the_mean_and_contrast_between() -> None:
    """Half the way from mean 0.4, contrast 0.2, to 0.5 and 0.05: mean 0.45 and contrast 0.1."""
    seen, wanted = Colours((0.4,) * 3, (0.2,) * 3), Colours((0.5,) * 3, (0.05,) * 3)
    picture = halves(51, 153)
    half = Colours.of([recolour(picture, part_way(seen, wanted, 0.5), wanted)])
    assert half.mean == pytest.approx((0.45,) * 3, abs=0.003)
    assert half.std == pytest.approx((0.1,) * 3, abs=0.003)


def test_all_and_nothing_of_the_way() -> None:
    seen, wanted = Colours((0.4, 0.3, 0.2), (0.2, 0.1, 0.3)), GREY
    for share, expected in ((1.0, seen), (0.0, wanted)):
        found = part_way(seen, wanted, share)
        assert found.mean == pytest.approx(expected.mean)
        assert found.std == pytest.approx(expected.std)
