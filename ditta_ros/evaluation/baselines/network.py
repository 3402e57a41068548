"""A copy of a whole segmenter that may learn, where DiTTA lets the decode head alone."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from ditta_ros.frame import Frame
from ditta_ros.segmenter import Features, Segmenter, resized
from ditta_ros.segmenter_files import input_size_px


class Network(nn.Module):
    """Backbone and decode head; their parameters are ``backbone.*`` and ``head.*``."""

    def __init__(self, segmenter: Segmenter) -> None:
        """Share the modules of ``segmenter``: read them, and learn with a ``copy_of``."""
        super().__init__()
        self.backbone = segmenter.backbone
        self.head = segmenter.head
        self._mean, self._std = segmenter.mean, segmenter.std
        self._model_size = segmenter.model_size

    @classmethod
    def copy_of(cls, segmenter: Segmenter) -> Network:
        """Copy ``segmenter``, in eval mode: no dropout, no stochastic depth."""
        return copy.deepcopy(cls(segmenter)).eval()

    def image(self, frame: Frame) -> Tensor:
        """Return the image [1, 3, H, W] that ``Segmenter.encode`` makes of a frame."""
        image = frame.rgb.to(self._mean.device).movedim(2, 0).float()
        image = resized(image, input_size_px(frame.size_px, self._model_size)) / 255
        return ((image - self._mean) / self._std)[None]

    def encode(self, image: Tensor) -> Features:
        """Return the backbone's four stages of [B, 3, H, W], with gradients where asked for."""
        output = self.backbone(image, output_hidden_states=True)
        first, second, third, fourth = output.hidden_states
        return first, second, third, fourth

    def forward(self, image: Tensor) -> Tensor:
        """Return class logits [B, C, H/4, W/4] of normalised images [B, 3, H, W]."""
        return self.head(self.encode(image)).logits


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that learn."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
