"""SAM 2's mask decoder on the CPU: the same numbers from less work.

Eight tokens look at an image, and the image at eight tokens.  sam2 projects every position of the
image to keys, values and queries for that.  Here the projections are applied to the tokens
instead, of which there are few: q . (W x + b) = (W^T q) . x + q . b, and
sum a (W x + b) = W (sum a x) + b where the weights a sum to 1.  What is left of an attention are
two products with the image's features and a softmax between them.

Objects are taken a few at a time, which caches hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

OBJECTS_AT_ONCE = 4


def decode(
    forward: Callable[..., tuple[Tensor, ...]], image_embeddings: Tensor, image_pe: Tensor,
    sparse_prompt_embeddings: Tensor, dense_prompt_embeddings: Tensor, multimask_output: bool,
    repeat_image: bool, high_res_features: list[Tensor] | None = None,
) -> tuple[Tensor, ...]:
    """Return what ``forward``, sam2's ``MaskDecoder.forward``, returns for all objects.

    Every argument but ``image_pe`` has one item per object; so has the image, which
    ``repeat_image`` must be False for.
    """
    parts = []
    for first in range(0, len(image_embeddings), OBJECTS_AT_ONCE):
        some = slice(first, first + OBJECTS_AT_ONCE)
        finer = high_res_features and [feature[some] for feature in high_res_features]
        parts.append(forward(
            image_embeddings=image_embeddings[some], image_pe=image_pe,
            sparse_prompt_embeddings=sparse_prompt_embeddings[some],
            dense_prompt_embeddings=dense_prompt_embeddings[some],
            multimask_output=multimask_output, repeat_image=repeat_image,
            high_res_features=finer))
    return tuple(torch.cat(same) for same in zip(*parts, strict=True))


def two_way(
    transformer: Any, image_embedding: Tensor, image_pe: Tensor, point_embedding: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return what ``TwoWayTransformer.forward`` returns: tokens [B, t, C], image [B, h w, C].

    ``image_embedding`` is [B, C, h, w], ``point_embedding`` [B, t, C]; of ``image_pe``
    [B, C, h, w] the first object's is read.
    """
    image = image_embedding.flatten(2).transpose(1, 2)  # [B, h w, C]
    place = image_pe[:1].flatten(2).transpose(1, 2).contiguous()
    tokens = point_embedding
    for layer in transformer.layers:
        placed = image + place
        tokens = _see_each_other(layer, tokens, point_embedding)
        tokens = layer.norm2(tokens + gather(
            layer.cross_attn_token_to_image, tokens + point_embedding, placed, image))
        tokens = layer.norm3(tokens + layer.mlp(tokens))
        image = layer.norm4(image + spread(
            layer.cross_attn_image_to_token, placed, tokens + point_embedding, tokens))
    seen = gather(
        transformer.final_attn_token_to_image, tokens + point_embedding, image + place, image)
    return transformer.norm_final_attn(tokens + seen), image


def gather(attention: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return sam2's ``Attention`` of few queries [B, t, C] on many positions [B, n, C]."""
    heads = attention.num_heads
    # Biases of the keys add the same to all scores of a query, which softmax does not see.
    asked = _folded(attention.q_proj(queries), attention.k_proj.weight, heads)  # [B, H t, C]
    weight = (asked @ keys.transpose(1, 2)).softmax(-1)  # [B, H t, n]
    mean = (weight @ values).unflatten(1, (heads, -1))  # [B, H, t, C]
    projected = torch.einsum(
        'bhtc,hdc->bthd', mean, attention.v_proj.weight.unflatten(0, (heads, -1)))
    return attention.out_proj(projected.flatten(2) + attention.v_proj.bias)


def spread(attention: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return sam2's ``Attention`` of many positions [B, n, C] on few tokens [B, t, C]."""
    heads = attention.num_heads
    key = attention.k_proj(keys)
    asked = _folded(key, attention.q_proj.weight, heads)  # [B, H t, C]
    offset = _folded(key, attention.q_proj.bias[:, None], heads)  # [B, H t, 1]
    score = torch.baddbmm(offset, asked, queries.transpose(1, 2))  # [B, H t, n]
    weight = score.unflatten(1, (heads, -1)).softmax(2).flatten(1, 2)
    value = attention.v_proj(values).unflatten(-1, (heads, -1))  # [B, t, H, d]
    given = torch.einsum(
        'bthd,chd->bhtc', value, attention.out_proj.weight.unflatten(1, (heads, -1)))
    return torch.baddbmm(
        attention.out_proj.bias, weight.transpose(1, 2), given.flatten(1, 2))


def _folded(tokens: Tensor, weight: Tensor, heads: int) -> Tensor:
    """Return W^T q / sqrt(d) for each head, [B, H t, C], of [B, t, H d] and a weight [H d, C]."""
    split = tokens.unflatten(-1, (heads, -1))  # [B, t, H, d]
    folded = torch.einsum('bthd,hdc->bhtc', split, weight.unflatten(0, (heads, -1)))
    return folded.flatten(1, 2) * split.shape[-1] ** -0.5


def _see_each_other(layer: Any, tokens: Tensor, point_embedding: Tensor) -> Tensor:
    if layer.skip_first_layer_pe:
        return layer.norm1(layer.self_attn(tokens, tokens, tokens))
    asking = tokens + point_embedding
    return layer.norm1(tokens + layer.self_attn(asking, asking, tokens))
