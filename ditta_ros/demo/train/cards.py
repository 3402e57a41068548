"""The model cards: what each embedded model is, and what the training command printed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ditta_ros.demo.train.measure import MIN_VISIBLE_PX, RATE_HZ, SEEDS, TRACKED_FRAMES
from ditta_ros.demo.world import NAMES

_COMMAND = 'python -m ditta_ros.demo.train'
_WORLDS = f'{len(SEEDS)} unseen worlds (seeds {SEEDS[0]}-{SEEDS[-1]})'


def write_segmenter_card(folder: Path, figures: dict[str, Any]) -> None:
    """Write ``README.md`` beside the SegFormer's weights."""
    strengths = list(next(iter(figures['shifts'].values())))
    rows = [[kind, *(f'{value:.3f}' for value in by_strength.values())]
            for kind, by_strength in figures['shifts'].items()]
    classes = [[name, f'{figures["per_class"][name]:.3f}'] for name in NAMES]
    _write(folder, f"""# tiny_segformer

A small SegFormer (transformers' `SegformerForSemanticSegmentation`) for the procedural world of
ditta_ros, trained on its clean frames alone, from scratch. It knows nothing of real images.
Licence: Apache-2.0, like the project. Reproduce: `{_COMMAND}`.

Clean: mIoU **{figures['clean']:.3f}** on every fifth of 40 frames of {_WORLDS}.

mIoU under a shift, by its strength:

{_table(['shift', *map(str, strengths)], rows)}

IoU per class, clean:

{_table(['class', 'IoU'], classes)}
""")


def write_tracker_card(folder: Path, figures: dict[tuple[str, str], Any]) -> None:
    """Write ``README.md`` beside the tracker's weights."""
    rows = [[prompt, direction, f'{quality.mean_j:.3f}', str(quality.objects)]
            for (prompt, direction), quality in figures.items()]
    ways = list(figures)
    classes = [[name, *(f'{figures[way].per_class_j[name]:.3f}'
                        if name in figures[way].per_class_j else '-' for way in ways)]
               for name in NAMES]
    _write(folder, f"""# tiny_sam2

A small SAM 2 (sam2's own classes, built from `model.yaml`) for the procedural world of ditta_ros,
trained from scratch on worlds with and without shifts. It knows nothing of real images. The
weights are kept in fp16. Licence: Apache-2.0, like the project. Reproduce: `{_COMMAND}`.

J (intersection over union) of a track over {TRACKED_FRAMES} frames at {RATE_HZ:g} Hz on clean
frames of {_WORLDS}. Each object is prompted once, on
the first frame (forward) or the last (reverse); the prompts are those that DiTTA makes, and "mask"
starts the same objects from their true masks. The mean runs over objects and frames in which at
least {MIN_VISIBLE_PX} px of the object are in view; the prompted frame itself is not counted.

{_table(['prompt', 'direction', 'J', 'objects'], rows)}

J per class:

{_table(['class', *(' '.join(way) for way in ways)], classes)}
""")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _write(folder: Path, text: str) -> None:
    (folder / 'README.md').write_text(text)
    print(text, flush=True)
