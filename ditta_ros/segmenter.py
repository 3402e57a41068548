"""The image segmenter (ISS): SegFormer as a frozen backbone and a decode head that can learn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SegformerForSemanticSegmentation, SegformerModel

from ditta_ros.colours import Colours, recoloured_input
from ditta_ros.frame import SMALLEST_SIDE_PX, Frame
from ditta_ros.labels import LabelSet, label_dtype
from ditta_ros.segmenter_files import (
    ModelSize,
    find_segmenter,
    input_size_px,
    load_network,
    read_add_on,
    read_colours,
    read_processing,
)
from ditta_ros.settings import SegmenterSettings

EMBEDDED_MODEL = Path(__file__).parent / 'demo' / 'weights' / 'tiny_segformer'

Features = tuple[Tensor, Tensor, Tensor, Tensor]
"""The backbone's four stages, float32 [B, D_i, h_i, w_i], finest (h = H/4, w = W/4) first."""


class Decoded(NamedTuple):
    """What the decode head makes of a batch of frames, at the grid of the finest stage."""

    feature: Tensor  # [B, D, h, w] fused feature F, after batch norm and ReLU
    logits: Tensor  # [B, C, h, w]


class Head(nn.Module):
    """SegFormer's decode head with the method's add-on (Eq. 1) and projection (Eq. 6) layers.

    ``widths`` are the channels D_i of the backbone's stages, finest first; ``dim`` is D.
    SegFormer's dropout is left out: the head adapts without.
    """

    def __init__(self, widths: tuple[int, ...], dim: int, classes: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(nn.Linear(width, dim) for width in widths)
        self.fuse = nn.Conv2d(len(widths) * dim, dim, 1, bias=False)
        self.batch_norm = nn.BatchNorm2d(dim)
        self.classifier = nn.Conv2d(dim, classes, 1)
        self.query_mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.key_mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.projection = nn.Sequential(
            nn.Conv2d(dim, dim, 1), nn.ReLU(), nn.Conv2d(dim, dim, 1), nn.ReLU(),
            nn.Conv2d(dim, dim, 1))

    @classmethod
    def from_transformers(cls, model: SegformerForSemanticSegmentation, seed: int = 0) -> Head:
        """Copy the decode head of ``model``; the layers it lacks are drawn from ``seed``."""
        config = model.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = cls(tuple(config.hidden_sizes), config.decoder_hidden_size, config.num_labels)
        theirs = model.decode_head
        for ours, projection in zip(head.scales, theirs.linear_projections, strict=True):
            ours.load_state_dict(projection.proj.state_dict())
        head.fuse.load_state_dict(theirs.linear_fuse.state_dict())
        head.batch_norm.load_state_dict(theirs.batch_norm.state_dict())
        head.classifier.load_state_dict(theirs.classifier.state_dict())
        return head.eval()

    def forward(self, features: Features) -> Decoded:
        """Decode a batch of frames: backbone features to fused feature and class logits."""
        grid = (features[0].shape[2], features[0].shape[3])
        parts = []
        for stage, scale in zip(features, self.scales, strict=True):
            part = scale(stage.flatten(2).transpose(1, 2)).transpose(1, 2)  # [B, D, h_i w_i]
            parts.append(upsample(part.unflatten(2, stage.shape[2:]), grid))  # [B, D, h, w]
        # Coarsest first: the order of `fuse`'s weights in SegFormer.  Fusing each stage before
        # it is upsampled is the same function with less work (``folded``), but rounds otherwise,
        # and the unscaled attention of Eq. 1 turns 1e-5 in F into more than 1e-4 in its logits.
        fused = self.fuse(torch.cat(parts[::-1], 1))
        feature = F.relu(self.batch_norm(fused))
        return Decoded(feature, self.classifier(feature))

    def learned_layers(self) -> dict[str, Tensor]:
        """Return the weights of the layers that SegFormer lacks, by name."""
        return {name: value for name, value in self.state_dict().items()
                if name.split('.')[0] in ('query_mlp', 'key_mlp', 'projection')}

    def query(self, feature: Tensor) -> Tensor:
        """Q of Eq. 1: [B, D, h, w] to [B, D, h, w]."""
        return self.query_mlp(feature.movedim(1, -1)).movedim(-1, 1)

    def key(self, feature: Tensor) -> Tensor:
        """K of Eq. 1: [B, D, h, w] to [B, D, h, w]."""
        return self.key_mlp(feature.movedim(1, -1)).movedim(-1, 1)

    def project(self, feature: Tensor) -> Tensor:
        """Embedding of the contrastive loss (Eq. 6): [B, D, h, w] to [B, D, h, w]."""
        return self.projection(feature)


@dataclass(frozen=True, eq=False)
class Segmenter:
    """SegFormer from a transformers directory, frozen: backbone, decode head and class list."""

    backbone: SegformerModel
    head: Head
    label_set: LabelSet
    mean: Tensor  # [3, 1, 1] of RGB in 0..1
    std: Tensor  # [3, 1, 1]
    model_size: ModelSize = None  # what frames are resized to; None: they are not
    trained_on: Colours | None = None  # the colours of its training, where the model tells them
    has_add_on: bool = False  # it came with add-on layers that have learnt

    @property
    def device(self) -> torch.device:
        """Where the backbone and the head are."""
        return self.mean.device

    @classmethod
    def load(cls, model: str, device: torch.device | str = 'cpu', seed: int = 0) -> Segmenter:
        """Load a directory or a Hugging Face id, from the cache; '' is the embedded demo model.

        Nothing is downloaded.  ``seed`` and errors as in ``open``.
        """
        return cls.open(SegmenterSettings(model=model), device, seed)

    @classmethod
    def open(
        cls, settings: SegmenterSettings, device: torch.device | str = 'cpu', seed: int = 0,
    ) -> Segmenter:
        """Load what ``settings`` name, onto ``device``, from the network only where they allow it.

        ``seed`` draws the add-on and projection layers, which no SegFormer brings but those that
        ``convert`` made from a file with them.
        Raises ModelError where there is not a whole SegFormer segmenter.
        """
        directory = find_segmenter(settings) if settings.model else EMBEDDED_MODEL
        network = load_network(directory)
        processing = read_processing(directory, settings.input_size == 'model')
        config = network.config
        head = Head.from_transformers(network, seed)
        add_on = read_add_on(directory, head.learned_layers())
        head.load_state_dict(add_on, strict=False)
        return cls(
            network.segformer.eval().requires_grad_(False).to(device),
            head.requires_grad_(False).to(device),
            LabelSet.from_model_config(config.id2label, getattr(config, 'palette', None)),
            torch.tensor(processing.mean, device=device).view(3, 1, 1),
            torch.tensor(processing.std, device=device).view(3, 1, 1), processing.size,
            read_colours(directory, config), bool(add_on))

    def recoloured(self, seen: Colours | None) -> Segmenter:
        """Return the segmenter that takes pictures of colours ``seen`` to those of its training.

        It shares backbone and head, and costs nothing more.  As it is for None, or where the
        model does not tell the colours of its training.
        """
        if seen is None or self.trained_on is None:
            return self
        mean, std = recoloured_input(self.mean, self.std, seen, self.trained_on)
        return replace(self, mean=mean, std=std)

    @torch.no_grad()  # not inference_mode: adaptation differentiates the head over these features
    def encode(self, frame: Frame | Tensor) -> Features:
        """Run the backbone once over a frame (or uint8 [H, W, 3], RGB).

        It sees the frame at its own size, or with ``segmenter.input_size`` 'model' resized, so
        that the features' grid has another aspect ratio.  Raises ValueError for a frame smaller
        than 32 px on a side.
        """
        rgb = frame.rgb if isinstance(frame, Frame) else frame
        height, width = rgb.shape[:2]
        if min(height, width) < SMALLEST_SIDE_PX:
            raise ValueError(
                f'a frame must be at least {SMALLEST_SIDE_PX} px on each side, got {height} px '
                f'high x {width} px wide: send larger images')
        image = rgb.to(self.mean.device).movedim(2, 0).float()  # [3, H, W]
        image = resized(image, input_size_px((height, width), self.model_size)) / 255
        output = self.backbone(
            ((image - self.mean) / self.std)[None], output_hidden_states=True)
        first, second, third, fourth = output.hidden_states
        return first, second, third, fourth


def resized(image: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Resize float [3, H, W] of 0..255 to ``size_px`` as images of 8 bit are: whole numbers."""
    if image.shape[1:] == size_px:
        return image
    return F.interpolate(
        image[None], size_px, mode='bilinear', align_corners=False, antialias=True,
    )[0].round().clamp(0, 255)


def upsample(maps: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Interpolate [B, N, h, w] bilinearly to ``size_px`` (height, width), corners not aligned."""
    if maps.shape[-2:] == size_px:
        return maps
    return F.interpolate(maps, size=size_px, mode='bilinear', align_corners=False)


def interpolation(count: int, count_px: int, like: Tensor) -> Tensor:
    """``upsample`` along one axis as a matrix [count_px, count], ``like`` in dtype and device."""
    exact = torch.promote_types(like.dtype, torch.float32)
    unit = torch.eye(count, dtype=exact, device=like.device)[None]
    matrix = F.interpolate(unit, count_px, mode='linear', align_corners=False)[0].T
    return matrix.to(like.dtype)


def reliability(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Label and reliability of one frame (Eq. 2), from logits [C, H, W].

    Returns the most probable class, [H, W], and R = 1 - E / max(E), float32 [H, W] in 0..1,
    where E is the entropy of the class probabilities and the maximum is over the frame's pixels.
    """
    prob = logits.float().softmax(0)
    # Not from prob: classes that differ in their logits may be equal there.
    return logits.argmax(0).to(label_dtype(len(logits))), relative_to_largest(entropy(prob))


def entropy(prob: Tensor) -> Tensor:
    """Entropy of class probabilities [C, H, W], in nats, [H, W]; a probability may be 0."""
    return torch.special.entr(prob).sum(0)


def relative_to_largest(entropy: Tensor) -> Tensor:
    """R = 1 - E / max(E) of one frame's entropies [H, W]; 1 everywhere where E is 0 everywhere."""
    largest = entropy.amax()
    return torch.where(largest > 0, 1 - entropy / largest, 1.0).clamp(0, 1)

