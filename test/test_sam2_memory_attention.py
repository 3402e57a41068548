"""The memory attention against sam2's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.sam.transformer import Attention, RoPEAttention
from torch.nn.functional import scaled_dot_product_attention

from ditta_ros import sam2_memory_attention
from ditta_ros.sam2_memory_attention import attend, is_usual, weighted_mean

CHANNELS, MEMORY_CHANNELS, SIDE, MAPS, POINTERS = 16, 8, 4, 3, 5


def memory_attention(
    cross: type[Attention] = RoPEAttention, heads: int = 1, side: int = SIDE,
) -> MemoryAttention:
    """Two layers laid out as in SAM 2, with random weights."""
    torch.manual_seed(0)
    rope = {'feat_sizes': (side, side), 'rope_k_repeat': True} if cross is RoPEAttention else {}
    layer = MemoryAttentionLayer(
        activation='relu', dim_feedforward=32, dropout=0.1, d_model=CHANNELS,
        pos_enc_at_attn=False, pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        self_attention=RoPEAttention(CHANNELS, heads, feat_sizes=(side, side)),
        cross_attention=cross(CHANNELS, heads, kv_in_dim=MEMORY_CHANNELS, **rope))
    attention = MemoryAttention(CHANNELS, True, layer, num_layers=2).eval()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter)
    return attention


def inputs(objects: int) -> dict[str, Any]:
    """One image for all objects, and memories of each."""
    tokens = SIDE * SIDE
    memories = MAPS * tokens + POINTERS
    return {
        'curr': [torch.randn(tokens, 1, CHANNELS).expand(-1, objects, -1)],
        'curr_pos': [torch.randn(tokens, 1, CHANNELS).expand(-1, objects, -1)],
        'memory': torch.randn(memories, objects, MEMORY_CHANNELS),
        'memory_pos': torch.randn(memories, objects, MEMORY_CHANNELS),
        'num_obj_ptr_tokens': POINTERS}


@pytest.mark.parametrize('scores_at_once', [10 ** 6, 100, 1])  # all, one and a half, too few rows
@pytest.mark.parametrize('objects', [1, 3])
@pytest.mark.parametrize('side', [SIDE, 7])  # laid out for this image, and for another
@torch.inference_mode()
def test_it_is_sam2s_memory_attention(
    objects: int, side: int, scores_at_once: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sam2_memory_attention, 'SCORES_AT_ONCE', scores_at_once)
    monkeypatch.setattr(sam2_memory_attention, 'QUERIES_AT_LEAST', 1)
    attention = memory_attention(side=side)
    given = inputs(objects)
    expected = attention(**given)
    got = attend(attention, **given)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    assert objects == 1 or not torch.allclose(got[:, 0], got[:, 1], atol=0.1)


@torch.inference_mode()
def test_it_is_sam2s_memory_attention_in_half_precision_too() -> None:
    attention = memory_attention()
    given = inputs(objects=3)
    exact = attention(**given)
    with torch.autocast('cpu', torch.bfloat16):
        expected = attention(**given)
        got = attend(attention, **given)
    # As far from the truth as sam2's own, which is some way with these weights.
    error, accepted = ((other.float() - exact).abs().mean() for other in (got, expected))
    assert error < 1.5 * accepted


def test_another_layout_is_told_apart() -> None:
    assert is_usual(memory_attention())
    assert not is_usual(memory_attention(cross=Attention))
    assert not is_usual(memory_attention(heads=2))


def test_a_weighted_mean_is_attention() -> None:
    torch.manual_seed(0)
    queries, keys, values = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 3)
    expected = scaled_dot_product_attention(queries, keys, values)
    torch.testing.assert_close(weighted_mean(queries, keys, values), expected)
