"""The mask decoder against sam2's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.transformer import Attention, TwoWayTransformer
from torch import Tensor

from ditta_ros.sam2_mask_decoder import OBJECTS_AT_ONCE, decode, gather, spread, two_way

CHANNELS, HEADS, TOKENS, SIZE = 32, 4, 5, (3, 6)  # (h, w)


def scrambled(module: Any) -> Any:
    """The module with weights that leave nothing near zero, biases among them."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


def transformer() -> TwoWayTransformer:
    return scrambled(TwoWayTransformer(2, CHANNELS, HEADS, mlp_dim=64))


def decoder_inputs(objects: int, finer: bool) -> dict[str, Any]:
    height, width = SIZE
    torch.manual_seed(1)
    return {
        'image_embeddings': torch.randn(objects, CHANNELS, height, width),
        'image_pe': torch.randn(1, CHANNELS, height, width),
        'sparse_prompt_embeddings': torch.randn(objects, 2, CHANNELS),
        'dense_prompt_embeddings': torch.randn(objects, CHANNELS, height, width),
        'repeat_image': False,
        'high_res_features': [
            torch.randn(objects, CHANNELS // 8, 4 * height, 4 * width),
            torch.randn(objects, CHANNELS // 4, 2 * height, 2 * width)] if finer else None}


def attention_inputs() -> tuple[Attention, Tensor, Tensor, Tensor]:
    attention = scrambled(Attention(CHANNELS, HEADS, downsample_rate=2))
    return (attention, torch.randn(3, TOKENS, CHANNELS), torch.randn(3, 18, CHANNELS),
            torch.randn(3, 18, CHANNELS))


@torch.inference_mode()
def test_few_tokens_look_at_many_positions_as_in_sam2() -> None:
    attention, few, many, more = attention_inputs()
    torch.testing.assert_close(gather(attention, few, many, more), attention(few, many, more))


@torch.inference_mode()
def test_many_positions_look_at_few_tokens_as_in_sam2() -> None:
    attention, few, many, _ = attention_inputs()
    values = torch.randn(3, TOKENS, CHANNELS)
    torch.testing.assert_close(spread(attention, many, few, values), attention(many, few, values))


@torch.inference_mode()
def test_it_is_sam2s_two_way_transformer() -> None:
    sam2 = transformer()
    image, tokens = torch.randn(3, CHANNELS, *SIZE), torch.randn(3, TOKENS, CHANNELS)
    place = torch.randn(1, CHANNELS, *SIZE).expand(3, -1, -1, -1)
    for got, expected in zip(
            two_way(sam2, image, place, tokens), sam2(image, place, tokens), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_it_is_sam2s_two_way_transformer_in_half_precision_too() -> None:
    sam2 = transformer()
    image, tokens = torch.randn(3, CHANNELS, *SIZE), torch.randn(3, TOKENS, CHANNELS)
    place = torch.randn(3, CHANNELS, *SIZE)[:1].expand(3, -1, -1, -1)
    _, exact = sam2(image, place, tokens)
    with torch.autocast('cpu', torch.bfloat16):
        _, expected = sam2(image, place, tokens)
        _, got = two_way(sam2, image, place, tokens)
    error, accepted = ((other.float() - exact).abs().mean() for other in (got, expected))
    assert error < 1.5 * accepted


@pytest.mark.parametrize('objects', [1, OBJECTS_AT_ONCE, 2 * OBJECTS_AT_ONCE + 1])
@pytest.mark.parametrize('finer', [False, True])
@pytest.mark.parametrize('several', [False, True])
@torch.inference_mode()
def test_a_few_objects_at_a_time_are_decoded_as_all_at_once(
    objects: int, finer: bool, several: bool,
) -> None:
    decoder = scrambled(MaskDecoder(
        transformer_dim=CHANNELS, transformer=transformer(), use_high_res_features=finer,
        pred_obj_scores=True))
    given = decoder_inputs(objects, finer) | {'multimask_output': several}
    for got, expected in zip(decode(decoder.forward, **given), decoder(**given), strict=True):
        torch.testing.assert_close(got, expected)
