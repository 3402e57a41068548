"""Means over cells, and the bars that the adaptation is to clear.

All changes are in points: 100 times adapted minus plain model (ISS), on the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ditta_ros.evaluation.bed.cells import Cell
from ditta_ros.evaluation.bed.streams import CLEAN
from ditta_ros.evaluation.report.results import mean

# What a robot must not lose, by the names that classes have in the beds.
RARE = {'pole': ('pole', 'Pole'), 'sign': ('sign', 'SignSymbol'),
        'person': ('person', 'Pedestrian'), 'bicycle': ('bicycle', 'Bicyclist')}
# A class that the plain model knew, with the first IoU or more, is lost below the second.
KNOWN_IOU = 0.2
LOST_IOU = 0.1


@dataclass(frozen=True)
class Summary:
    """What one variant changes in a set of cells, in points; NaN where nothing was measured."""

    cells: int
    miou: float
    mvc8: float
    accuracy: float
    worst: float  # the cell whose mIoU changed worst
    worst_cell: str
    better: int  # cells whose mIoU rose
    promoted: int  # cells in which an adapted model was put in force
    rare: Mapping[str, float]  # IoU by kind of RARE, over the cells that show it
    target_accuracy: float  # of the distillation labels, against the ISS labels
    target_miou: float
    ceiling: float  # mIoU, of a head that was taught the true labels
    ceiling_share: float  # miou / ceiling; NaN where the ceiling gains nothing


@dataclass(frozen=True)
class Bar:
    """A figure with the least that it is to be."""

    name: str
    value: float
    least: float

    @property
    def met(self) -> bool:
        """Whether it was measured and is met."""
        return self.value >= self.least

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f'{self.name} (bar {self.least:+g}): not measured'
        verdict = 'met' if self.met else 'MISSED'
        return f'{self.name} {self.value:+.2f} (bar {self.least:+g}): {verdict}'


def summarise(cells: Sequence[Cell], variant: str) -> Summary:
    """Return what ``variant`` changes in ``cells``."""
    changes = [miou_change(cell, variant) for cell in cells]
    worst = min((change for change in changes if not math.isnan(change)), default=math.nan)
    gain, ceiling = mean(changes), mean(map(ceiling_change, cells))
    return Summary(
        cells=len(cells),
        miou=gain,
        mvc8=mean(100 * (cell.adapted[variant].reached.mvc8 - cell.iss.mvc8) for cell in cells),
        accuracy=mean(
            100 * (cell.adapted[variant].reached.accuracy - cell.iss.accuracy) for cell in cells),
        worst=worst,
        worst_cell=next(
            (name_of(cell) for cell, change in zip(cells, changes, strict=True)
             if change == worst), ''),
        better=sum(change > 0 for change in changes),
        promoted=sum(bool(cell.adapted[variant].status['promoted']) for cell in cells),
        rare={kind: mean(rare_changes(cells, variant, kind)) for kind in RARE},
        target_accuracy=mean(target_change(cell, variant) for cell in cells),
        target_miou=mean(
            100 * (each.miou - each.iss_miou)
            for each in (cell.adapted[variant].targets for cell in cells)),
        ceiling=ceiling,
        ceiling_share=gain / ceiling if ceiling > 0 else math.nan)


def by_shift(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Return the cells of each shift, then those 'under shift' and 'all' of them."""
    shifts = dict.fromkeys(cell.stream.shift for cell in cells)
    groups = {shift: [cell for cell in cells if cell.stream.shift == shift] for shift in shifts}
    shifted = [cell for cell in cells if cell.stream.shift != CLEAN]
    return {**groups, **({'under shift': shifted} if shifted else {}), 'all': list(cells)}


def bars(cells: Sequence[Cell], variant: str) -> list[Bar]:
    """Return the bars of the default profile, beside what ``variant`` comes to on ``cells``."""
    groups = by_shift(cells)
    over_all = summarise(cells, variant)
    clean, shifted = (
        summarise(groups.get(name, []), variant) for name in (CLEAN, 'under shift'))
    rare = {kind: change for kind, change in over_all.rare.items() if not math.isnan(change)}
    kind = min(rare, key=lambda kind: rare[kind], default='')
    return [
        Bar('mIoU, mean of all cells', over_all.miou, 3.0),
        Bar('mVC8, mean of all cells', over_all.mvc8, 3.0),
        Bar('mIoU, mean of clean cells', clean.miou, -0.3),
        Bar(f'IoU of the rare class that changed worst ({kind}), mean',
            rare.get(kind, math.nan), -2.0),
        Bar(f'mIoU, worst stream ({over_all.worst_cell})', over_all.worst, -0.5),
        Bar('share of the gain by true labels, under shift', shifted.ceiling_share, 0.5),
        Bar(f'classes known (IoU >= {KNOWN_IOU}) and lost (< {LOST_IOU}), below 0',
            -len(lost_classes(cells, variant)), 0.0),
        Bar('share of the helpful adaptations that the guard kept', kept_share(cells, variant),
            0.8)]


def lost_classes(cells: Iterable[Cell], variant: str) -> list[str]:
    """Return each class that the plain model knew and the adapted one does not, by its cell."""
    return [
        f'{name} ({name_of(cell)})' for cell in cells for name, iou in cell.iss.class_iou.items()
        if iou >= KNOWN_IOU and cell.adapted[variant].reached.class_iou[name] < LOST_IOU]


def kept_share(cells: Iterable[Cell], variant: str) -> float:
    """Return the share that was put in force of the candidates whose mIoU is above ISS's.

    NaN where none was recorded, as without ``--signals``.
    """
    helpful = [
        bool(adapted.status['promoted']) for adapted, iss in (
            (cell.adapted[variant], cell.iss) for cell in cells)
        if adapted.candidate is not None and adapted.candidate.reached.miou > iss.miou]
    return sum(helpful) / len(helpful) if helpful else math.nan


def miou_change(cell: Cell, variant: str) -> float:
    """Return the change of mIoU in points."""
    return 100 * (cell.adapted[variant].reached.miou - cell.iss.miou)


def ceiling_change(cell: Cell) -> float:
    """Return what learning the true labels changes mIoU by, in points; NaN: not measured."""
    return math.nan if cell.ceiling is None else 100 * (cell.ceiling.miou - cell.iss.miou)


def target_change(cell: Cell, variant: str) -> float:
    """Return how much more of the distillation labels is right than of the ISS's, in points."""
    targets = cell.adapted[variant].targets
    return 100 * (targets.accuracy - targets.iss_accuracy)


def rare_changes(cells: Iterable[Cell], variant: str, kind: str) -> list[float]:
    """Return the changes of IoU in points, of the cells that show the ``kind`` of RARE."""
    return [
        100 * (cell.adapted[variant].reached.class_iou[name] - cell.iss.class_iou[name])
        for cell in cells for name in RARE[kind] if name in cell.iss.class_iou]


def name_of(cell: Cell) -> str:
    """Return a cell's name: ``world 600 fog:0.5 10 %``."""
    stream = cell.stream
    return f'{stream.bed} {stream.name} {stream.shift} {cell.warm_up_percent:g} %'
