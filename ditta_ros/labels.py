"""The class names and colours that a model speaks in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from ditta_ros.errors import ModelError

UNLABELLED = 255
"""Label of a pixel that has no class; so a label map in uint8 knows 255 classes at most."""

Image = TypeVar('Image', np.ndarray, torch.Tensor)


def default_palette(count: int) -> np.ndarray:
    """Return uint8 [count, 3], RGB: PASCAL VOC's colours without its black, all distinct."""
    index = np.arange(1, count + 1)
    palette = np.zeros((count, 3), np.uint8)
    # The bits of the index are dealt out to red, green and blue in turn, highest colour bit first.
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> (3 * bit + channel) & 1) << (7 - bit)).astype(
                np.uint8)
    return palette


@dataclass(frozen=True, eq=False)
class LabelSet:
    """Names and colours of the classes 0..C-1, in index order.

    ``palette`` is uint8 [C, 3] in RGB order.  Raises ModelError where the two do not fit each
    other or a label map in uint8.
    """

    names: tuple[str, ...]
    palette: np.ndarray

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= UNLABELLED:
            raise ModelError(
                f'segmenter.model must have 1 to {UNLABELLED} classes, since labels are 8 bit and '
                f'{UNLABELLED} means unlabelled; got {len(self.names)}: choose another model')
        if self.palette.dtype != np.uint8 or self.palette.shape != (len(self.names), 3):
            raise ModelError(
                f'a palette is uint8 [{len(self.names)}, 3] for {len(self.names)} classes, got '
                f'{self.palette.dtype} {list(self.palette.shape)}: correct "palette" in the '
                'config.json of segmenter.model, or leave it out')

    @classmethod
    def from_model_config(
        cls, id2label: Mapping[int, str], palette: Sequence[Sequence[int]] | None = None,
    ) -> LabelSet:
        """Read the classes of a transformers configuration; without colours: distinct ones.

        ``palette`` is one RGB triple of 0..255 per class.  Raises ModelError where the ids are not
        0..C-1 or the palette does not fit them.
        """
        if sorted(id2label) != list(range(len(id2label))):
            raise ModelError(
                f'id2label must number the classes from 0 without gaps, got {sorted(id2label)}: '
                'correct the config.json of segmenter.model')
        names = tuple(id2label[index] for index in range(len(id2label)))
        if palette is None:
            return cls(names, default_palette(len(names)))
        colours = np.array([np.ravel(rgb) for rgb in palette], dtype=object)
        in_range = all(value in range(256) for value in colours.flat)
        if colours.shape != (len(names), 3) or not in_range:
            raise ModelError(
                f'a palette is one RGB triple of 0..255 for each of the {len(names)} classes: '
                'correct "palette" in the config.json of segmenter.model, or leave it out')
        return cls(names, colours.astype(np.uint8))

    def __len__(self) -> int:
        return len(self.names)

    def colorize(self, label: Image) -> Image:
        """Paint a label map, uint8 [H, W], in RGB, uint8 [H, W, 3]; unlabelled pixels are black.

        Takes and returns numpy arrays or tensors; a tensor stays on its device.
        """
        table = np.zeros((256, 3), np.uint8)
        table[:len(self)] = self.palette
        if isinstance(label, torch.Tensor):
            return torch.from_numpy(table).to(label.device)[label.long()]
        return table[label]
