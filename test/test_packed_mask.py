from __future__ import annotations

import pytest
import torch

from ditta_ros.packed_mask import PackedMask


@pytest.mark.parametrize('size_px', [(1, 1), (5, 7), (4, 8), (9, 16)])  # whole bytes and not
def test_unpacked_it_is_the_same(size_px: tuple[int, int]) -> None:
    torch.manual_seed(0)
    for mask in (
            torch.zeros(size_px, dtype=torch.bool), torch.ones(size_px, dtype=torch.bool),
            torch.rand(size_px) > 0.5, torch.rand(size_px[::-1]).T > 0.5):
        unpacked = PackedMask.of(mask).unpacked()
        assert unpacked.dtype == torch.bool
        assert torch.equal(unpacked, mask)


def test_it_has_no_part_in_what_it_came_from() -> None:
    mask = torch.zeros(4, 6, dtype=torch.bool)
    packed = PackedMask.of(mask)
    mask[:] = True
    unpacked = packed.unpacked()
    assert not unpacked.any()
    unpacked[:] = True  # writable, too
    assert not packed.unpacked().any()


def test_it_is_small() -> None:
    torch.manual_seed(0)
    disc = torch.hypot(*torch.meshgrid(torch.arange(300.0), torch.arange(501.0), indexing='ij'))
    assert len(PackedMask.of(disc < 200).data) < 300 * 501 / 8 / 10
    noise = PackedMask.of(torch.rand(300, 501) > 0.5)
    assert len(noise.data) < 300 * 501 / 8 * 1.01
