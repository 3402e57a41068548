"""``--set adaptation.learning_rate=1e-3``: parameters from the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ditta_ros.settings import SettingError, parameters


def parse_overrides(items: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``name=value`` texts, each of its parameter's type.

    Raises SettingError for a text without ``=``, an unknown name or a value of another type.
    """
    kinds = {parameter.name: type(parameter.default) for parameter in parameters()}
    values: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition('=')
        if not equals:
            raise SettingError(f'--set takes name=value, got {item!r}')
        if name not in kinds:
            raise SettingError(f'no parameter is called {name!r}; see config/ditta.yaml')
        try:
            values[name] = (
                {'true': True, 'false': False}[text] if kinds[name] is bool
                else kinds[name](text))
        except (KeyError, ValueError):
            raise SettingError(f'{name} must be {kinds[name].__name__}, got {text!r}') from None
    return values
