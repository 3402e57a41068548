"""The linear layer against torch's."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear as torch_linear

from ditta_ros.pointwise import linear, through


def test_a_hand_computed_case() -> None:
    weight = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])  # [3, 2]
    done = linear(torch.tensor([[1.0, 10.0]]), weight, torch.tensor([0.5, 0.0, -1.0]))
    assert done.tolist() == [[21.5, 10.0, 2.0]]


@pytest.mark.parametrize('shape', [(7, 6), (2, 7, 6), (2, 3, 5, 6), (1, 1, 6)])
@pytest.mark.parametrize('with_bias', [False, True])
def test_it_is_torchs_linear(shape: tuple[int, ...], with_bias: bool) -> None:
    torch.manual_seed(0)
    feature, weight = torch.randn(shape), torch.randn(4, 6)
    bias = torch.randn(4) if with_bias else None
    done = linear(feature, weight, bias)
    assert done.is_contiguous()
    torch.testing.assert_close(done, torch_linear(feature, weight, bias))


def test_the_order_in_memory_does_not_matter() -> None:
    torch.manual_seed(0)
    feature, weight = torch.randn(6, 7, 2).permute(2, 1, 0), torch.randn(6, 4).T
    torch.testing.assert_close(linear(feature, weight), torch_linear(feature, weight))


def test_half_precision_by_autocast_is_torchs() -> None:
    torch.manual_seed(0)
    feature, weight = torch.randn(3, 6), torch.randn(4, 6)
    with torch.autocast('cpu', torch.bfloat16):
        done, expected = linear(feature, weight), torch_linear(feature, weight)
    assert done.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(done, expected, rtol=2e-2, atol=2e-2)


def test_a_layer_brings_its_weight_and_bias() -> None:
    torch.manual_seed(0)
    layer, feature = torch.nn.Linear(6, 4), torch.randn(3, 6)
    torch.testing.assert_close(through(layer, feature), layer(feature))
