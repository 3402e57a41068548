"""The decode head and add-on as they label: learned layers folded into as few as they need."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ditta_ros.segmenter import Features, Head, interpolation


@dataclass(frozen=True, eq=False)
class FoldedHead:
    """A :class:`Head` for inference: the same function of one frame with less arithmetic.

    - A stage's linear layer, its slice of ``fuse`` and the batch norm (by its running statistics)
      are one linear layer.  Bilinear upsampling commutes with it, so it runs on the stage's own
      grid, and the layer from 4 D to D channels at h x w is gone.
    - Q K^T of Eq. 1 is (W2q hq + bq) . (W2k hk + bk), where hq and hk are the hidden layers of
      the two MLPs.  What is constant over the keys cancels in the softmax, so the key is hk
      itself and the query one layer, W2k^T (W2q hq + bq).

    Equal to ``Head`` and ``add_on`` up to rounding, which the unscaled attention enlarges: learn
    with those, label with this.  Later changes of the head do not show here.
    Maps are of one frame, channels last.
    """

    scales: tuple[Tensor, ...]  # [D_i, D] each, finest stage first
    bias: Tensor  # [D]
    classifier: tuple[Tensor, Tensor]  # [D, C] and [C], as the layers below
    query_hidden: tuple[Tensor, Tensor]  # [D, D] and [D], before its ReLU
    query_output: tuple[Tensor, Tensor]
    key_hidden: tuple[Tensor, Tensor]

    @classmethod
    @torch.no_grad()
    def fold(cls, head: Head) -> FoldedHead:
        """Fold ``head``, in its own dtype and on its device; the products are made in float64."""
        norm, like = head.batch_norm, head.classifier.weight
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()  # [D]
        slices = (head.fuse.weight.double()[:, :, 0, 0] * gain[:, None]).chunk(len(head.scales), 1)
        bias, scales = norm.bias.double() - norm.running_mean.double() * gain, []
        for linear, part in zip(head.scales, slices[::-1], strict=True):  # `fuse`: coarsest first
            assert isinstance(linear, nn.Linear)
            scales.append((part @ linear.weight.double()).T.contiguous().to(like))
            bias = bias + part @ linear.bias.double()
        query, key = (
            [layer for layer in mlp if isinstance(layer, nn.Linear)]
            for mlp in (head.query_mlp, head.key_mlp))
        into_key = key[1].weight.double()  # [D, D]
        return cls(
            tuple(scales), bias.to(like),
            _layer(head.classifier.weight[:, :, 0, 0], head.classifier.bias, like),
            _layer(query[0].weight, query[0].bias, like),
            _layer(into_key.T @ query[1].weight.double(), query[1].bias.double() @ into_key, like),
            _layer(key[0].weight, key[0].bias, like))

    def feature(self, features: Features) -> Tensor:
        """Fused feature F [h, w, D] of one frame, from its backbone features."""
        fine, *coarse = (stage[0].to(self.bias.dtype) for stage in features)  # [D_i, h_i, w_i]
        _, height, width = fine.shape
        feature = torch.addmm(self.bias, fine.flatten(1).T, self.scales[0]).view(height, -1)
        # Upsampling as a product with a matrix for the columns of each stage, then with one for
        # the rows of all stages, which adds them up on the way.
        across, down = [], []
        for stage, scale in zip(coarse, self.scales[1:], strict=True):
            _, rows, columns = stage.shape
            part = (stage.flatten(1).T @ scale).unflatten(0, (rows, columns))  # [h_i, w_i, D]
            across.append((interpolation(columns, width, part) @ part).flatten(1))  # [h_i, w D]
            down.append(interpolation(rows, height, part))  # [h, h_i]
        feature = feature.addmm_(torch.cat(down, 1), torch.cat(across))  # [h, w D]
        return feature.relu_().unflatten(1, (width, -1))

    def alone(self, features: Features) -> Tensor:
        """Class logits [h, w, C] of a frame by itself."""
        return self.logits(self.feature(features))

    def in_sequence(self, features: Features) -> tuple[Tensor, Tensor, Tensor]:
        """Class logits [h, w, C], ``query`` and ``key`` of a frame between two others."""
        feature = self.feature(features)
        return self.logits(feature), self.query(feature), self.key(feature)

    def logits(self, feature: Tensor) -> Tensor:
        """Class logits [h, w, C] from F [h, w, D]."""
        return _apply(self.classifier, feature)

    def query(self, feature: Tensor) -> Tensor:
        """What F [h, w, D] of a frame attends with to the ``key`` of the one before, [h, w, D]."""
        return _apply(self.query_output, _apply(self.query_hidden, feature).relu_())

    def key(self, feature: Tensor) -> Tensor:
        """What the next frame's ``query`` attends to, [h, w, D], from F [h, w, D]."""
        return _apply(self.key_hidden, feature).relu_()


def _layer(weight: Tensor, bias: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Copy a layer's weight [M, N] and bias [M] as :func:`_apply` reads them: [N, M] and [M]."""
    assert bias is not None
    return weight.to(like).T.clone(memory_format=torch.contiguous_format), bias.to(like).clone()


def _apply(layer: tuple[Tensor, Tensor], positions: Tensor) -> Tensor:
    """Apply a layer from N to M channels to every position, [h, w, N] to [h, w, M]."""
    weight, bias = layer
    return torch.addmm(bias, positions.flatten(0, 1), weight).unflatten(0, positions.shape[:2])
