from __future__ import annotations

import pytest

from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.specs import values_of

KEYS = ('seed', 'shift')


@pytest.mark.parametrize(('spec', 'values'), [
    ('world', {}), ('world:', {}), ('world:seed=7', {'seed': '7'}),
    ('world:shift=fog:0.5,seed=', {'shift': 'fog:0.5', 'seed': ''}),
    ('seed=a=b,', {'seed': 'a=b'}),
])
def test_values(spec: str, values: dict[str, str]) -> None:
    assert values_of(spec, 'world', KEYS) == values


@pytest.mark.parametrize(('spec', 'item'), [
    ('world:seed=7,sed=7', 'sed=7'), ('world:seed', 'seed'), ('world:seed=7,seed=7', 'seed=7'),
    ('world:=7', '=7'), ('worldseed=7,shift', 'shift'),
])
def test_what_is_no_value_is_told_in_a_line(spec: str, item: str) -> None:
    with pytest.raises(SourceError) as told:
        values_of(spec, 'world', KEYS)
    assert str(told.value) == (
        f"{spec}: the keys of world are seed, shift, once each, got '{item}': write "
        'key=value,key=value')
