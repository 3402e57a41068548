"""The class names and colours that a model speaks in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from ditta_ros.errors import ModelError

UNLABELLED = 255
"""Label of a pixel that has no class, where labels are uint8: with up to 255 classes."""
UNLABELLED_WIDE = 65535
"""The same where they are int32 on the device and 16 bit in a message: with more classes."""

Image = TypeVar('Image', np.ndarray, torch.Tensor)


def label_dtype(classes: int) -> torch.dtype:
    """Return the dtype of label maps of so many classes: uint8 up to 255, beyond that int32."""
    return torch.uint8 if classes <= UNLABELLED else torch.int32


def unlabelled_in(label: torch.Tensor) -> int:
    """Return what a pixel without class is in ``label``: 255 in uint8, 65535 in int32."""
    return UNLABELLED if label.dtype == torch.uint8 else UNLABELLED_WIDE


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
    other or a label map.
    """

    names: tuple[str, ...]
    palette: np.ndarray

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= UNLABELLED_WIDE:
            raise ModelError(
                f'segmenter.model must have 1 to {UNLABELLED_WIDE} classes, since labels are 16 '
                f'bit at most and {UNLABELLED_WIDE} means unlabelled; got {len(self.names)}: '
                'choose another model')
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

    @property
    def unlabelled(self) -> int:
        """Label of a pixel that has no class: 255, or 65535 with more than 255 classes."""
        return UNLABELLED if len(self) <= UNLABELLED else UNLABELLED_WIDE

    def colorize(self, label: Image) -> Image:
        """Paint a label map [H, W] in RGB, uint8 [H, W, 3]; unlabelled pixels are black.

        Takes and returns numpy arrays or tensors; a tensor stays on its device.
        """
        table = np.zeros((self.unlabelled + 1, 3), np.uint8)
        table[:len(self)] = self.palette
        if isinstance(label, torch.Tensor):
            colours = torch.from_numpy(table).to(label.device)
            # Six times as fast as colours[label.long()].
            return colours.index_select(0, label.flatten().int()).view(*label.shape, 3)
        return table[label]
