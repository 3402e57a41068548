"""Small images for folders and data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 6, 10


def picture(index: int) -> np.ndarray:
    """Return uint8 [H, W, 3], another noise for each ``index``."""
    return np.random.default_rng(index).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def save(path: Path, pixels: np.ndarray) -> None:
    """Write ``pixels`` as they are, and the folders above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
