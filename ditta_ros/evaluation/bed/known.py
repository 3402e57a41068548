"""Ceilings that an earlier run has measured: they do not depend on the variants."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ditta_ros.evaluation.bed.cells import Cell
from ditta_ros.evaluation.bed.reached import Reached
from ditta_ros.evaluation.bed.streams import Stream
from ditta_ros.evaluation.json_values import JsonError, from_json, to_json
from ditta_ros.evaluation.source import SourceError

SAME = 1e-4  # processors that sum in another order differ by less: 2e-5 was seen
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What a run has measured of one stream and warm-up, whatever its variants were."""

    stream: Stream
    warm_up_percent: float
    iss: Reached
    ceiling: Reached


@dataclass(frozen=True)
class _Run:
    cells: tuple[Known, ...]
    ceiling: Mapping[str, Any]


Place = tuple[Stream, float]


def read_known(path: Path, ceiling: Mapping[str, Any]) -> dict[Place, Known]:
    """Return the ceilings in a run's ``bed.json``, taught by the parameters ``ceiling``.

    Raises SourceError where the file is none, or its ceilings were taught otherwise.
    """
    try:
        read = from_json(_Run, json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, JsonError) as error:
        raise SourceError(
            f'--ceilings {path}: must be the bed.json of a run with ceilings: {error}') from None
    if dict(read.ceiling) != to_json(ceiling):
        raise SourceError(
            f'--ceilings {path}: ceilings must be taught by {dict(ceiling)}, got '
            f'{dict(read.ceiling)}: measure them anew')
    return {(known.stream, known.warm_up_percent): known for known in read.cells}


def has_all(
    known: Mapping[Place, Known], stream: Stream, warm_ups_percent: Sequence[float],
) -> bool:
    """Whether the ceilings of a stream are known after all the warm-ups."""
    return all((stream, percent) in known for percent in warm_ups_percent)


def with_known(cells: Sequence[Cell], known: Mapping[Place, Known]) -> list[Cell]:
    """Return ``cells`` with their ceilings, without where the plain model is another now."""
    done = []
    for cell in cells:
        found = known.get((cell.stream, cell.warm_up_percent))
        if cell.ceiling is None and found is not None:
            if _alike(found.iss, cell.iss):
                cell = dataclasses.replace(  # noqa: PLW2901 - completed
                    cell, ceiling=found.ceiling)
            else:
                log.warning(
                    '%s: the plain model must reach what it did when the ceilings were measured, '
                    '%s, got %s: the ceiling is left out, measure it anew',
                    cell.stream.spec, found.iss, cell.iss)
        done.append(cell)
    return done


def _alike(before: Reached, now: Reached) -> bool:
    """Whether two measurements differ in no figure by more than another processor's."""
    names = sorted(before.class_iou)
    first, second = (
        np.array([each.miou, each.accuracy, each.mvc8, *map(each.class_iou.get, names)], float)
        for each in (before, now))
    return names == sorted(now.class_iou) and np.allclose(
        first, second, rtol=0, atol=SAME, equal_nan=True)
