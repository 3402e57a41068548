"""Which SegFormer a set of weights belongs to, told by their shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ditta_ros.errors import ModelError

STAGES = 4


def network_of(file: Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the fields of ``SegformerConfig`` that ``state`` (names of the hub) decides.

    Strides and attention heads leave no trace in the weights.  They are those of the MiT family:
    strides 4, 2, 2, 2, and heads as wide as the first stage.  Raises ModelError where a weight
    that must be there is not, or the widths are not of that family; ``file`` is named.
    """
    def shape(name: str) -> list[int]:
        if name not in state:
            raise ModelError(
                f'{file} must hold a whole SegFormer segmenter, got none of {name}: give a file '
                'with backbone and decode head')
        return list(state[name].shape)

    patches = [shape(f'segformer.encoder.patch_embeddings.{stage}.proj.weight')
               for stage in range(STAGES)]
    widths = [patch[0] for patch in patches]
    if patches[0][1] != 3 or any(width % widths[0] for width in widths):
        raise ModelError(
            f'{file} must be of the MiT family, which sees 3 channels and has widths that are '
            f'multiples of the first, got {patches[0][1]} channels and widths {widths}: no other '
            'can be converted')
    hidden = [shape(f'segformer.encoder.block.{stage}.0.mlp.dense1.weight')[0]
              for stage in range(STAGES)]
    if any(wide % width for wide, width in zip(hidden, widths, strict=True)):
        raise ModelError(
            f'{file} must have hidden layers that are multiples of its widths, got {hidden} for '
            f'{widths}: no other can be converted')
    return {
        'depths': [_depth(state, stage) for stage in range(STAGES)],
        'hidden_sizes': widths,
        'num_attention_heads': [width // widths[0] for width in widths],
        'mlp_ratios': [wide // width for wide, width in zip(hidden, widths, strict=True)],
        'patch_sizes': [patch[2] for patch in patches],
        'sr_ratios': [_reduction(state, stage) for stage in range(STAGES)],
        'decoder_hidden_size': shape('decode_head.linear_c.0.proj.weight')[0],
        'num_labels': shape('decode_head.classifier.weight')[0],
    }


def _depth(state: Mapping[str, Tensor], stage: int) -> int:
    block = re.compile(rf'segformer\.encoder\.block\.{stage}\.(\d+)\.')
    return len({match[1] for match in map(block.match, state) if match})


def _reduction(state: Mapping[str, Tensor], stage: int) -> int:
    """Return by how much a stage reduces its keys; without a convolution for it: 1."""
    kernel = state.get(f'segformer.encoder.block.{stage}.0.attention.self.sr.weight')
    return 1 if kernel is None else kernel.shape[2]
