"""Label maps become the pixels of what is published, the same on a GPU as on the CPU."""

from __future__ import annotations

import pytest
import torch

from ditta_ros.ros import maps

RELIABILITY = torch.tensor([[0.0, 0.5 / 255, 1.5 / 255], [0.1, 0.999, 1.0]])
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


def images() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two images, uint8 [40, 30, 3], and a mask [40, 30] of two thirds of them."""
    generator = torch.Generator().manual_seed(0)
    rgb, colours = torch.randint(
        0, 256, (2, 40, 30, 3), dtype=torch.uint8, generator=generator)
    return rgb, colours, torch.rand((40, 30), generator=generator) < 2 / 3


@pytest.mark.parametrize(('dtype', 'unlabelled'), [(torch.uint8, 255), (torch.int32, 65535)])
def test_a_mask_has_as_many_bits_as_it_needs(dtype: torch.dtype, unlabelled: int) -> None:
    label = torch.tensor([[0, 1, unlabelled], [7, 200, 3]], dtype=dtype)
    mask, _ = maps.mask_and_confidence(label, RELIABILITY)
    assert mask.dtype == ('uint8' if dtype is torch.uint8 else 'uint16')
    assert mask.tolist() == label.tolist()


def test_confidence_is_reliability_to_the_nearest_255th() -> None:
    # Halves go to the even neighbour: 0.5 to 0, 1.5 to 2.
    expected = [[0, 0, 2], [26, 255, 255]]
    _, confidence = maps.mask_and_confidence(torch.zeros((2, 3), dtype=torch.uint8), RELIABILITY)
    assert confidence.tolist() == expected
    assert maps.in_255ths(RELIABILITY).tolist() == expected


def test_the_overlay_leaves_unlabelled_pixels_alone() -> None:
    rgb, colours = (torch.full((1, 2, 3), value, dtype=torch.uint8) for value in (100, 200))
    labelled = torch.tensor([[True, False]])
    assert maps.overlay(rgb, colours, labelled, 0.25)[0, :, 0].tolist() == [125, 100]


@pytest.mark.parametrize('alpha', [0.0, 0.3, 0.5, 1.0])
def test_colours_are_mixed_by_torch_as_by_opencv(alpha: float) -> None:
    rgb, colours, _ = images()
    everywhere = torch.ones(rgb.shape[:2], dtype=torch.bool)
    theirs = maps.overlay(rgb, colours, everywhere, alpha)
    apart = (maps.mixed(rgb, colours, alpha).int() - theirs.int()).abs()
    assert apart.max() <= 1
    assert (apart == 0).double().mean() > 0.9


@needs_gpu
def test_maps_on_a_gpu_are_published_as_those_on_the_cpu() -> None:
    rgb, colours, labelled = images()
    for dtype in (torch.uint8, torch.int32):
        label = rgb[:2, :3, 0].to(dtype)
        here = maps.mask_and_confidence(label, RELIABILITY)
        there = maps.mask_and_confidence(label.cuda(), RELIABILITY.cuda())
        for one, other in zip(here, there, strict=True):
            assert one.dtype == other.dtype
            assert one.tolist() == other.tolist()
    on_cpu = maps.overlay(rgb, colours, labelled, 0.3)
    on_gpu = maps.overlay(rgb.cuda(), colours.cuda(), labelled.cuda(), 0.3).cpu()
    assert (on_cpu.int() - on_gpu.int()).abs().max() <= 1
