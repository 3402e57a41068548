"""SAM 2's memory attention for objects on one image: the same numbers from less work.

sam2 treats each object of a batch as if it had an image of its own.  Here,

- the objects' common image passes the first self-attention once for all;
- rotary encoding is done in place, where sam2 copies every key twice;
- on the CPU the memories are averaged before they are projected to values, in their own width
  (32 of 128 channels in the embedded model, 64 of 256 in SAM 2.1): attention weights sum to 1, so
  A (M W + b) = (A M) W + b; and objects are taken one at a time, which a core's cache holds.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ditta_ros.pointwise import linear, through

SCORES_AT_ONCE = 2 ** 20  # 4 MB: about what stays in a core's cache
QUERIES_AT_LEAST = 128  # for fewer, bringing the keys in order takes longer than the product


def is_usual(attention: Any) -> bool:
    """Whether a ``MemoryAttention`` is laid out as in every configuration of sam2."""
    return attention.batch_first and all(map(_usual, attention.layers))


def attend(
    attention: Any, curr: list[Tensor], memory: Tensor, curr_pos: list[Tensor],
    memory_pos: Tensor, num_obj_ptr_tokens: int = 0,
) -> Tensor:
    """Return what ``MemoryAttention.forward`` returns, [n, B, C].

    ``curr`` and ``curr_pos`` hold one [n, B, C] each, of which the first object's is read;
    ``memory`` and ``memory_pos`` are [m, B, M], whose last ``num_obj_ptr_tokens`` have no place.
    """
    tokens = curr[0][:, :1].transpose(0, 1)  # [1, n, C]
    if attention.pos_enc_at_input:
        tokens = tokens + 0.1 * curr_pos[0][:, :1].transpose(0, 1)
    tokens = _see_itself(attention.layers[0], tokens)
    memory = memory.transpose(0, 1)  # [B, m, M]
    keys = memory + memory_pos.transpose(0, 1)
    at_once = 1 if memory.device.type == 'cpu' else len(memory)
    return torch.cat([
        _recall(attention, tokens, some_keys, some, num_obj_ptr_tokens)
        for some_keys, some in zip(keys.split(at_once), memory.split(at_once), strict=True)
    ]).transpose(0, 1)


def rotary_attention(
    attention: Any, queries: Tensor, keys: Tensor, values: Tensor, unplaced: int = 0,
) -> Tensor:
    """Return what sam2's ``RoPEAttention`` of one head returns, [B, n, C].

    ``queries`` are [B or 1, n, C]; ``keys`` and ``values`` [B, m, M]: maps of n tokens one after
    the other, then ``unplaced`` tokens that the rotation passes over.
    """
    side = isqrt(queries.shape[1])
    if len(attention.freqs_cis) != queries.shape[1]:
        attention.freqs_cis = attention.compute_cis(end_x=side, end_y=side)
    attention.freqs_cis = attention.freqs_cis.to(queries.device)
    queries, keys = through(attention.q_proj, queries), through(attention.k_proj, keys)
    _rotate(queries, attention.freqs_cis)
    _rotate(keys[:, :keys.shape[1] - unplaced], attention.freqs_cis)
    queries = queries.expand(len(keys), -1, -1)
    if queries.device.type == 'cpu':
        mixed = through(attention.v_proj, weighted_mean(queries, keys, values))
    else:
        values = through(attention.v_proj, values)
        # With an axis of heads, or no fast kernel takes it.
        mixed = scaled_dot_product_attention(
            queries[:, None], keys[:, None], values[:, None])[:, 0]
    return through(attention.out_proj, mixed)


def weighted_mean(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return softmax(Q K^T / sqrt(C)) V, [B, n, M], for [B, n, C], [B, m, C] and [B, m, M].

    Object by object and, where there are many keys, some queries at a time.
    """
    queries = queries * queries.shape[-1] ** -0.5
    rows = max(SCORES_AT_ONCE // keys.shape[1], QUERIES_AT_LEAST)
    return torch.stack([
        torch.cat([
            linear(linear(some, key).softmax(-1), value.T) for some in query.split(rows)])
        for query, key, value in zip(queries, keys, values, strict=True)])


def _usual(layer: Any) -> bool:
    parts = (layer.self_attn, layer.cross_attn_image)
    return (
        all(hasattr(part, 'freqs_cis') and part.num_heads == 1 for part in parts)
        and not layer.pos_enc_at_attn and not layer.pos_enc_at_cross_attn_queries
        and layer.pos_enc_at_cross_attn_keys)


def _see_itself(layer: Any, tokens: Tensor) -> Tensor:
    normed = layer.norm1(tokens)
    return tokens + rotary_attention(layer.self_attn, normed, normed, normed)


def _recall(
    attention: Any, tokens: Tensor, keys: Tensor, memory: Tensor, unplaced: int,
) -> Tensor:
    """Return [B, n, C] from the common image, [1, n, C], after its first self-attention."""
    for number, layer in enumerate(attention.layers):
        if number > 0:
            tokens = _see_itself(layer, tokens)
        # The first layer's tokens become each object's own here: [1, n, C] + [B, n, C].
        tokens = tokens + rotary_attention(
            layer.cross_attn_image, layer.norm2(tokens), keys, memory, unplaced)
        hidden = layer.activation(through(layer.linear1, layer.norm3(tokens)))
        tokens = tokens + through(layer.linear2, hidden)
    return attention.norm(tokens)


def _rotate(tokens: Tensor, freqs_cis: Tensor) -> None:
    """Turn pairs of channels of [B, r n, C] in place by complex [n, C / 2], for each of r maps."""
    exact = tokens.float()  # itself, but under autocast
    pairs = exact.unflatten(1, (-1, len(freqs_cis))).unflatten(-1, (-1, 2))  # [B, r, n, C/2, 2]
    torch.view_as_complex(pairs).mul_(freqs_cis)
    if exact is not tokens:
        tokens.copy_(exact)
