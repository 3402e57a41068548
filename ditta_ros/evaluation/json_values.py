"""Frozen dataclasses as JSON and back: what could not be measured, NaN, is null there."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

Value = TypeVar('Value')


class JsonError(ValueError):
    """JSON does not hold what it should; the one line says where, the rule and what came."""


def to_json(value: Any) -> Any:
    """Return ``value`` in JSON's types: dataclasses as objects, tuples as lists, NaN as null.

    NumPy's numbers become Python's.  What JSON cannot hold stays as it is, for ``json`` to refuse.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name))
                for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def from_json(kind: type[Value], value: Any, where: str = '') -> Value:
    """Return the dataclass ``kind`` that :func:`to_json` made ``value`` of.

    Fields may have the types int, float, str, bool, Any, a dataclass, ``Mapping``, ``X | None``
    or a tuple of these; those with defaults may be absent, unknown ones are ignored.  Raises
    JsonError, one line that names the field, for anything else; ``where`` leads it.
    """
    if not isinstance(value, Mapping):
        raise JsonError(f'{where or kind.__name__} must be an object, got {_short(value)}')
    hints = get_type_hints(kind)
    read = {}
    for item in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = f'{where}.{item.name}' if where else item.name
        if item.name in value:
            read[item.name] = _read(hints[item.name], value[item.name], name)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise JsonError(f'{name} is missing')
    return kind(**read)


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return from_json(kind, value, where)  # type: ignore[arg-type]
    origin = get_origin(kind)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, where)
    if origin in (Union, types.UnionType):
        return None if value is None else _read(get_args(kind)[0], value, where)
    if kind is float:
        value = math.nan if value is None else value
        if type(value) in (int, float):
            return float(value)
    elif isinstance(value, origin or kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise JsonError(f'{where} must be {getattr(kind, "__name__", kind)}, got {_short(value)}')


def _read_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise JsonError(f'{where} must be a list, got {_short(value)}')
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise JsonError(f'{where} must have {len(kinds)} items, got {len(value)}')
    return tuple(_read(kind, item, f'{where}[{index}]')
                 for index, (kind, item) in enumerate(zip(kinds, value, strict=True)))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f'{text[:37]}...'
