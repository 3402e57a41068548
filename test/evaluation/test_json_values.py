from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ditta_ros.evaluation.json_values import JsonError, from_json, to_json


@dataclass(frozen=True)
class Point:
    x_px: int
    y_px: float


@dataclass(frozen=True)
class Track:
    name: str
    points: tuple[Point, ...]
    span: tuple[float, int]
    rate_hz: float | None
    closed: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)


TRACK = Track('a', (Point(1, 2.5), Point(3, math.nan)), (.5, 2), None, True, {'k': [1, 'v']})
MADE = {'name': 'a', 'points': [{'x_px': 1, 'y_px': 2.5}, {'x_px': 3, 'y_px': None}],
        'span': [.5, 2], 'rate_hz': None, 'closed': True, 'about': {'k': [1, 'v']}}


def test_nan_is_null() -> None:
    assert to_json(TRACK) == MADE


def test_there_and_back() -> None:
    read = from_json(Track, json.loads(json.dumps(to_json(TRACK), allow_nan=False)))
    assert math.isnan(read.points[1].y_px)
    assert repr(read) == repr(TRACK)  # NaN is not equal to itself


def test_numbers_of_numpy() -> None:
    made = to_json({'a': np.int64(3), 'b': np.float32(.5), 'c': (np.float64('nan'), np.True_)})
    assert json.dumps(made) == '{"a": 3, "b": 0.5, "c": [null, true]}'


def test_defaults_may_be_absent_and_new_fields_are_ignored() -> None:
    made = {key: value for key, value in MADE.items() if key not in ('closed', 'about')}
    read = from_json(Track, {**made, 'since': 2})
    assert (read.closed, read.about) == (False, {})


@pytest.mark.parametrize(('changed', 'says'), [
    ({'name': 3}, 'name must be str, got 3'),
    ({'name': None}, 'name must be str, got None'),
    ({'span': [.5]}, 'span must have 2 items, got 1'),
    ({'span': {}}, 'span must be a list, got {}'),
    ({'span': [.5, True]}, r'span\[1\] must be int, got True'),
    ({'points': [{'x_px': 1}]}, r'points\[0\].y_px is missing'),
    ({'points': [7]}, r'points\[0\] must be an object, got 7'),
    ({'points': [{'x_px': 1.5, 'y_px': 1}]}, r'points\[0\].x_px must be int, got 1.5'),
    ({'rate_hz': 'fast'}, "rate_hz must be float, got 'fast'"),
    ({'closed': 0}, 'closed must be bool, got 0'),
    ({'about': []}, r'about must be Mapping, got \[\]'),
])
def test_what_does_not_fit_is_named(changed: dict, says: str) -> None:
    with pytest.raises(JsonError, match=says):
        from_json(Track, {**MADE, **changed})


def test_no_object_at_all() -> None:
    with pytest.raises(JsonError, match='Track must be an object, got'):
        from_json(Track, [1] * 100)
