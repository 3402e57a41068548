from __future__ import annotations

import pytest
import torch

from ditta_ros import upsampled
from ditta_ros.segmenter import upsample
from ditta_ros.upsampled import Upsampling


@pytest.mark.parametrize(('grid', 'size_px'), [
    ((6, 8), (24, 31)),  # four times, and nearly
    ((5, 9), (5, 9)),
    ((7, 10), (50, 13)),
    ((9, 12), (4, 7)),  # smaller
    ((1, 1), (3, 5)),
    ((30, 22), (119, 85)),  # as SegFormer's grids of frames that 4 does not divide
])
@pytest.mark.parametrize('band_rows', [1, 3, 1000])
def test_bands_are_the_upsampled_maps(grid, size_px, band_rows, monkeypatch) -> None:
    monkeypatch.setattr(upsampled, 'BAND_VALUES_CPU', band_rows * size_px[1] * 3)
    generator = torch.Generator().manual_seed(0)
    maps = tuple(torch.randn(1, 3, *grid, generator=generator) for _ in range(2))
    rows, bands = zip(*Upsampling(maps, size_px).bands(), strict=True)
    assert [each.start for each in rows] == list(range(0, size_px[0], band_rows))
    assert rows[-1].stop == size_px[0]
    for whole, of_map in zip(maps, zip(*bands, strict=True), strict=True):
        expected = upsample(whole, size_px)[0].movedim(0, -1)  # [H, W, C]
        torch.testing.assert_close(
            torch.cat(of_map).view(*size_px, 3), expected, rtol=1e-5, atol=1e-5)


def test_a_band_is_bounded_whatever_the_image(monkeypatch) -> None:
    monkeypatch.setattr(upsampled, 'BAND_VALUES_CPU', 1000)
    for size_px in [(10, 20), (400, 90)]:
        maps = Upsampling((torch.zeros(1, 5, 10, 20),), size_px)
        assert max(band.numel() for _, (band,) in maps.bands()) <= 1000


def test_half_precision_is_interpolated_in_float32() -> None:
    maps = torch.randn(1, 3, 6, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    (_, (band,)), = Upsampling((maps,), (24, 31)).bands()
    torch.testing.assert_close(
        band, upsample(maps.float(), (24, 31))[0].flatten(1).T, rtol=1e-6, atol=1e-6)
