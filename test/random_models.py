"""A small random SegFormer, as real as one from a file, for tests that need no quality."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

CLASSES = 5


def save_random_segformer(folder: Path, seed: int = 0, classes: int = CLASSES) -> Path:
    """Write a transformers directory with 5 classes, decoder width 16, random weights."""
    torch.manual_seed(seed)
    model = SegformerForSemanticSegmentation(SegformerConfig(
        num_labels=classes, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 3, 4], mlp_ratios=[2, 2, 2, 2], decoder_hidden_size=16))
    with torch.no_grad():  # transformers' initial classifier is so flat that no pixel is reliable
        model.decode_head.classifier.weight.normal_(0, 100)
    model.save_pretrained(folder)
    return folder
