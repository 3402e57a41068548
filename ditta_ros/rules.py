"""What a parameter means and which values it takes, and the refusal of any other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


class SettingError(ValueError):
    """A parameter's value breaks its rule; the message names the parameter, rule and value."""


@dataclass(frozen=True)
class Rule:
    """What a parameter means and which values it takes (kept in the field's metadata)."""

    about: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False  # may change while the node is active; otherwise read at configure

    def check(self, name: str, value: Any, kind: type) -> Any:
        """Return ``value`` as ``kind``; raise SettingError with the rule where it does not fit."""
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise SettingError(f'{name} must be {kind.__name__}, got {value!r}')
        if self.choices and value not in self.choices:
            raise SettingError(f'{name} must be one of {", ".join(self.choices)}, got {value!r}')
        unit = f' {self.unit}' if self.unit else ''
        # "not value >= low" rather than "value < low": NaN must be refused too.
        number: Any = value
        if self.low is not None and not number >= self.low:
            raise SettingError(f'{name} must be >= {self.low:g}{unit}, got {value!r}')
        if self.high is not None and not number <= self.high:
            raise SettingError(f'{name} must be <= {self.high:g}{unit}, got {value!r}')
        return value


def setting(default: Any, about: str, unit: str = '', **rule: Any) -> Any:
    """Make a dataclass field that carries its :class:`Rule`."""
    return field(default=default, metadata={'rule': Rule(about, unit, **rule)})


class Checked:
    """Checks every field that carries a rule when the dataclass is made."""

    def __post_init__(self) -> None:
        group = getattr(type(self), 'GROUP', '')
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            rule = item.metadata.get('rule')
            if rule is not None:
                name = f'{group}.{item.name}' if group else item.name
                value = rule.check(name, getattr(self, item.name), type(item.default))
                object.__setattr__(self, item.name, value)
