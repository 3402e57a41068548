"""A SegFormer of 5 classes with random weights, images for it, and changes to its files."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

CONFIG = SegformerConfig(
    hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 3, 4],
    mlp_ratios=[2, 2, 2, 2], decoder_hidden_size=16, drop_path_rate=0.5,
    id2label={0: 'road', 1: 'sky', 2: 'tree', 3: 'person', 4: 'pole'})


def random_network() -> SegformerForSemanticSegmentation:
    """Return a random SegFormer whose batch norm is not the identity."""
    torch.manual_seed(0)
    network = SegformerForSemanticSegmentation(CONFIG).eval()
    norm = network.decode_head.batch_norm
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        torch.nn.init.uniform_(values, 0.5, 1.5)
    return network


def random_rgb(height: int = 64, width: int = 96) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)


def normalised(rgb: torch.Tensor, mean, std) -> torch.Tensor:
    return ((rgb / 255 - torch.tensor(mean)) / torch.tensor(std)).permute(2, 0, 1)[None]


def edit(file: Path, **values) -> None:
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | values))
