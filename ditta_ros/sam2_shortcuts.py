"""Shortcuts through SAM 2 for objects on one image: the same numbers from less work.

sam2 treats each object of a batch as if it had an image of its own; see
:mod:`~ditta_ros.sam2_memory_attention` and :mod:`~ditta_ros.sam2_mask_decoder`.  Beside these,

- masks are encoded with their channels last in memory, so that a norm over channels is one pass
  where sam2's is nine;
- the image is projected once for all masks, which are encoded a few at a time on the CPU, and
  there by oneDNN throughout (:mod:`~ditta_ros.pointwise`).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from ditta_ros.pointwise import through
from ditta_ros.sam2_mask_decoder import decode, two_way
from ditta_ros.sam2_memory_attention import attend, is_usual

MASKS_AT_ONCE = 2  # on the CPU


def take_shortcuts(model: Any) -> None:
    """Make a ``SAM2Base`` take them, from now on; its weights and their names stay.

    All objects of a batch must then be on one image, and autograd is not supported.  A memory
    attention that is not laid out like those of SAM 2 and 2.1 stays as it is.  The model must be
    where it is to run.
    """
    attention, decoder, encoder = (
        model.memory_attention, model.sam_mask_decoder, model.memory_encoder)
    if is_usual(attention):
        attention.forward = partial(attend, attention)
    if model.device.type == 'cpu':  # a GPU is better served by few large steps
        decoder.forward = partial(decode, decoder.forward)
        decoder.transformer.forward = partial(two_way, decoder.transformer)
    encoder.forward = partial(encode_masks, encoder)
    for part in (encoder, decoder.output_upscaling):
        part.to(memory_format=torch.channels_last)
        for module in part.modules():
            if type(module).__name__ == 'LayerNorm2d':
                module.forward = partial(channel_norm, module)
            elif type(module).__name__ == 'Linear':
                module.forward = partial(through, module)


def encode_masks(
    encoder: Any, pix_feat: Tensor, masks: Tensor, skip_mask_sigmoid: bool = False,
) -> dict[str, Any]:
    """Return what ``MemoryEncoder.forward`` returns: memories [N, M, h, w], and their places.

    ``masks`` are [N, 1, S, S]; of ``pix_feat`` [N, C, h, w] the first object's is read.
    """
    image = encoder.pix_feat_proj(pix_feat[:1])
    at_once = MASKS_AT_ONCE if masks.device.type == 'cpu' else len(masks)
    memories = torch.cat([
        encoder.out_proj(encoder.fuser(image + encoder.mask_downsampler(
            some if skip_mask_sigmoid else some.sigmoid())))
        for some in masks.split(at_once)])
    place = encoder.position_encoding(memories).to(memories.dtype)
    return {'vision_features': memories, 'vision_pos_enc': [place]}


def channel_norm(norm: Any, feature: Tensor) -> Tensor:
    """Return what sam2's ``LayerNorm2d`` returns: [N, C, h, w] normalised over C."""
    last = feature.permute(0, 2, 3, 1)  # [N, h, w, C]
    last = layer_norm(last, norm.weight.shape, norm.weight, norm.bias, norm.eps)
    return last.permute(0, 3, 1, 2)
