"""SegFormers to measure: published sizes with random weights, or a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from ditta_ros.bench.options import EMBEDDED, Options
from ditta_ros.labels import LabelSet
from ditta_ros.segmenter import EMBEDDED_MODEL, Head, Segmenter
from ditta_ros.segmenter_files import IMAGENET_MEAN, IMAGENET_STD

# Table 1 of Xie et al., "SegFormer", NeurIPS 2021: depths and decoder width of B0 to B5.
DEPTHS = {
    'b0': [2, 2, 2, 2], 'b1': [2, 2, 2, 2], 'b2': [3, 4, 6, 3], 'b3': [3, 4, 18, 3],
    'b4': [3, 8, 27, 3], 'b5': [3, 6, 40, 3],
}
NARROW, WIDE = [32, 64, 160, 256], [64, 128, 320, 512]  # channels of the stages: B0, others
DEFAULT_SIZE_PX, EMBEDDED_SIZE_PX = (480, 853), (192, 256)


@dataclass(frozen=True, eq=False)
class BenchModel:
    """One SegFormer twice: as transformers runs it and as the engine does, on the same weights."""

    network: SegformerForSemanticSegmentation
    segmenter: Segmenter

    @torch.no_grad()
    def plain(self, rgb: Tensor) -> Tensor:
        """Label uint8 [H, W, 3] RGB as anybody would: forward, upsample the logits, argmax."""
        image = (rgb.movedim(2, 0).float() / 255 - self.segmenter.mean) / self.segmenter.std
        logits = self.network(pixel_values=image[None]).logits  # [1, C, h, w]
        large = F.interpolate(logits, rgb.shape[:2], mode='bilinear', align_corners=False)
        return large[0].argmax(0).to(torch.uint8)


def build(name: str, options: Options) -> BenchModel:
    """Make ``b0`` to ``b5`` with random weights, or load a directory.  Raises ModelError."""
    if name.lower() not in DEPTHS:
        segmenter = Segmenter.load('' if name == EMBEDDED else name, options.device)
        network = SegformerForSemanticSegmentation.from_pretrained(
            EMBEDDED_MODEL if name == EMBEDDED else Path(name), local_files_only=True)
        return BenchModel(network.eval().requires_grad_(False).to(options.device), segmenter)
    network = random_network(name.lower(), options.classes).to(options.device)
    mean, std = (
        torch.tensor(values, device=options.device).view(3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD))
    return BenchModel(network, Segmenter(
        network.segformer, Head.from_transformers(network).requires_grad_(False).to(
            options.device),
        LabelSet.from_model_config(network.config.id2label), mean, std))


def check(options: Options) -> None:
    """Load the directories now, not after minutes of other rows.  Raises ModelError."""
    if {'frozen', 'warm_up'} & set(options.rows):
        for name in options.models:
            if name != EMBEDDED and name.lower() not in DEPTHS:
                Segmenter.load(name)


def random_network(name: str, classes: int) -> SegformerForSemanticSegmentation:
    """Make SegFormer ``b0`` to ``b5``, frozen, as its paper lays it out."""
    torch.manual_seed(0)
    return SegformerForSemanticSegmentation(SegformerConfig(
        num_labels=classes, depths=DEPTHS[name],
        hidden_sizes=NARROW if name == 'b0' else WIDE,
        decoder_hidden_size=256 if name in ('b0', 'b1') else 768)).eval().requires_grad_(False)


def sizes_px(name: str, options: Options) -> tuple[tuple[int, int], ...]:
    """Return the image sizes (H, W) to measure a model at."""
    return options.sizes or ((EMBEDDED_SIZE_PX,) if name == EMBEDDED else (DEFAULT_SIZE_PX,))


def frames(size_px: tuple[int, int], device: torch.device) -> cycle[Tensor]:
    """Yield two random images, uint8 [H, W, 3] on the device, in turns for ever."""
    generator = torch.Generator().manual_seed(0)
    pair = torch.randint(0, 256, (2, *size_px, 3), dtype=torch.uint8, generator=generator)
    return cycle(pair.to(device))


def title(name: str) -> str:
    """Return a model's name as tables show it."""
    return name.upper() if name.lower() in DEPTHS else Path(name).name
