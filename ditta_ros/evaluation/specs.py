"""Sources that are described by values and not by a path: ``world:seed=7,shift=fog:0.5``."""

from __future__ import annotations

from collections.abc import Collection

from ditta_ros.evaluation.source import SourceError


def values_of(spec: str, kind: str, keys: Collection[str]) -> dict[str, str]:
    """Return the values of ``spec``, ``key=value,key=value``, with or without ``<kind>:`` before.

    Raises SourceError for a key that ``keys`` does not have, or that is there twice.
    """
    given: dict[str, str] = {}
    for item in filter(None, spec.removeprefix(kind).removeprefix(':').split(',')):
        key, equals, value = item.partition('=')
        if key not in keys or not equals or key in given:
            raise SourceError(
                f'{spec}: the keys of {kind} are {", ".join(keys)}, once each, got {item!r}: '
                'write key=value,key=value')
        given[key] = value
    return given
