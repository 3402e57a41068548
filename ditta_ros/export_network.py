"""What is exported: the frozen network of one frame, as a graph without state.

It takes the image as a camera sends it and gives labels of the same size, so that nothing of the
model (mean, deviation, tau, upsampling) is left for its user to repeat, or to get wrong:

===============  =================  =============================================================
input            dtype, shape
===============  =================  =============================================================
``rgb``          uint8 [1, H, W, 3]    RGB, 0..255; it is cast to float32 first of all
``past_key``     float32 [h, w, D]  with the add-on: ``key`` of the frame before; else zeros
``past_logits``  float32 [h, w, C]  with the add-on: ``logits`` of the frame before; else zeros
===============  =================  =============================================================

===============  =================  =============================================================
output           dtype, shape
===============  =================  =============================================================
``label``        int32 [1, H, W]    class index, 0..C-1
``reliability``  float32 [1, H, W]  0..1 (Eq. 2)
``key``          float32 [h, w, D]  with the add-on: what the next frame is given
``logits``       float32 [h, w, C]  with the add-on: what the next frame is given
===============  =================  =============================================================

h and w are a quarter of H and W, rounded up; D is the decoder's width, C the number of classes.
Zeros for the past of a frame that follows none are exact: the attention then carries logits that
are equal everywhere, whose reliability is 0, so Eq. 3 leaves the frame's own labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ditta_ros.folded import FoldedHead
from ditta_ros.segmenter import (
    Head,
    Segmenter,
    entropy,
    relative_to_largest,
    reliability,
    upsample,
)
from ditta_ros.temporal import attend_frame, fuse

Size = tuple[int, int]


class PlainNetwork(nn.Module):
    """``segmenter`` with ``head`` in place of its own: every frame by itself.

    The same function as ``labeller.IssLabeller``; class maps are at the image's size in one
    piece, as a graph has no bands.
    """

    inputs: tuple[str, ...] = ('rgb',)
    outputs: tuple[str, ...] = ('label', 'reliability')

    def __init__(self, segmenter: Segmenter, head: Head) -> None:
        super().__init__()
        self.segmenter, self.head = segmenter, FoldedHead.fold(head)
        self.backbone = segmenter.backbone  # its weights belong to this module

    def feature(self, rgb: Tensor) -> Tensor:
        """Fused feature F [h, w, D] of ``rgb`` [1, H, W, 3]."""
        # Cast before anything else: TensorRT does nothing but cast with uint8.
        return self.head.feature(self.segmenter.encode(rgb.float()[0]))

    def forward(self, rgb: Tensor) -> tuple[Tensor, ...]:
        """Return label and reliability."""
        logits = self.head.logits(self.feature(rgb))  # [h, w, C]
        label, certainty = reliability(_on_image(logits, rgb))
        return label.to(torch.int32)[None], certainty[None]


class AddOnNetwork(PlainNetwork):
    """The same with the add-on, each frame fused with the one before (Eq. 1, 3).

    The same function as ``labeller.TemporalLabeller``, whose past is given and returned here.
    """

    inputs = ('rgb', 'past_key', 'past_logits')
    outputs = ('label', 'reliability', 'key', 'logits')

    def __init__(self, segmenter: Segmenter, head: Head, tau: float) -> None:
        super().__init__(segmenter, head)
        self.tau = tau

    def forward(  # type: ignore[override]
        self, rgb: Tensor, past_key: Tensor, past_logits: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return label, reliability, key and logits."""
        feature = self.feature(rgb)
        logits = self.head.logits(feature)
        carried = attend_frame(self.head.query(feature), past_key, past_logits)
        prob = fuse(
            _on_image(logits, rgb).softmax(0), _on_image(carried, rgb).softmax(0), self.tau)
        certainty = relative_to_largest(entropy(prob))
        return (
            prob.argmax(0).to(torch.int32)[None], certainty[None], self.head.key(feature), logits)


def example(network: PlainNetwork, size_px: Size) -> tuple[Tensor, ...]:
    """Return inputs of ``network`` for images of ``size_px`` (H, W): black, and no past."""
    rgb = torch.zeros((1, *size_px, 3), dtype=torch.uint8)
    if not isinstance(network, AddOnNetwork):
        return (rgb,)
    with torch.no_grad():
        feature = network.feature(rgb)
    return rgb, *(torch.zeros_like(f(feature)) for f in (network.head.key, network.head.logits))


def _on_image(logits: Tensor, rgb: Tensor) -> Tensor:
    """Upsample [h, w, C] to the image, [C, H, W]."""
    return upsample(logits.movedim(-1, 0)[None], (rgb.shape[1], rgb.shape[2]))[0]
