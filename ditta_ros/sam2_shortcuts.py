"""Shortcuts through SAM 2 for objects on one image: the same numbers from less work.

sam2 treats each object of a batch as if it had an image of its own.  Here,

- the objects' common image passes the memory attention's first self-attention once for all;
- rotary encoding is done in place, where sam2 copies every key twice;
- on the CPU the memories are averaged before they are projected to values, in their own width
  (32 of 128 channels in the embedded model, 64 of 256 in SAM 2.1): attention weights sum to 1, so
  A (M W + b) = (A M) W + b;
- masks are encoded with their channels last in memory, so that a norm over channels is one pass
  where sam2's is nine.
"""

from __future__ import annotations

from functools import partial
from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, scaled_dot_product_attention

SCORES_AT_ONCE = 2 ** 20  # 4 MB: about what stays in a core's cache


def take_shortcuts(model: Any) -> None:
    """Make a ``SAM2Base`` take them, from now on; its weights and their names stay.

    All objects of a batch must then be on one image, and autograd is not supported.  A memory
    attention that is not laid out like those of SAM 2 and 2.1 stays as it is.
    """
    attention = model.memory_attention
    if attention.batch_first and all(map(_usual, attention.layers)):
        attention.forward = partial(attend, attention)
    for part in (model.memory_encoder, model.sam_mask_decoder.output_upscaling):
        part.to(memory_format=torch.channels_last)
        for module in part.modules():
            if type(module).__name__ == 'LayerNorm2d':
                module.forward = partial(channel_norm, module)


def _usual(layer: Any) -> bool:
    """Whether a memory attention layer is laid out as in every configuration of sam2."""
    parts = (layer.self_attn, layer.cross_attn_image)
    return (
        all(hasattr(part, 'freqs_cis') and part.num_heads == 1 for part in parts)
        and not layer.pos_enc_at_attn and not layer.pos_enc_at_cross_attn_queries
        and layer.pos_enc_at_cross_attn_keys)


def channel_norm(norm: Any, feature: Tensor) -> Tensor:
    """Return what sam2's ``LayerNorm2d`` returns: [N, C, h, w] normalised over C."""
    last = feature.permute(0, 2, 3, 1)  # [N, h, w, C]
    last = layer_norm(last, norm.weight.shape, norm.weight, norm.bias, norm.eps)
    return last.permute(0, 3, 1, 2)


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
    memory = memory.transpose(0, 1)  # [B, m, M]
    keys = memory + memory_pos.transpose(0, 1)
    for layer in attention.layers:
        normed = layer.norm1(tokens)
        tokens = tokens + rotary_attention(layer.self_attn, normed, normed, normed)
        # The first layer's tokens become each object's own here: [1, n, C] + [B, n, C].
        tokens = tokens + rotary_attention(
            layer.cross_attn_image, layer.norm2(tokens), keys, memory, num_obj_ptr_tokens)
        hidden = layer.activation(layer.linear1(layer.norm3(tokens)))
        tokens = tokens + layer.linear2(hidden)
    return attention.norm(tokens).transpose(0, 1)


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
    queries, keys = attention.q_proj(queries), attention.k_proj(keys)
    _rotate(queries, attention.freqs_cis)
    _rotate(keys[:, :keys.shape[1] - unplaced], attention.freqs_cis)
    queries = queries.expand(len(keys), -1, -1)
    if queries.device.type == 'cpu':
        mixed = attention.v_proj(weighted_mean(queries, keys, values))
    else:
        values = attention.v_proj(values)
        # With an axis of heads, or no fast kernel takes it.
        mixed = scaled_dot_product_attention(
            queries[:, None], keys[:, None], values[:, None])[:, 0]
    return attention.out_proj(mixed)


def weighted_mean(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return softmax(Q K^T / sqrt(C)) V, [B, n, M], for [B, n, C], [B, m, C] and [B, m, M].

    Object by object and, where there are many keys, some queries at a time.
    """
    queries = queries * queries.shape[-1] ** -0.5
    rows = max(SCORES_AT_ONCE // keys.shape[1], 1)
    return torch.stack([
        torch.cat([(some @ key.T).softmax(-1) @ value for some in query.split(rows)])
        for query, key, value in zip(queries, keys, values, strict=True)])


def _rotate(tokens: Tensor, freqs_cis: Tensor) -> None:
    """Turn pairs of channels of [B, r n, C] in place by complex [n, C / 2], for each of r maps."""
    exact = tokens.float()  # itself, but under autocast
    pairs = exact.unflatten(1, (-1, len(freqs_cis))).unflatten(-1, (-1, 2))  # [B, r, n, C/2, 2]
    torch.view_as_complex(pairs).mul_(freqs_cis)
    if exact is not tokens:
        tokens.copy_(exact)
