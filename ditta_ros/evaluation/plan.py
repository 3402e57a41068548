"""Which jobs an evaluation consists of: sources x warm-ups x seeds x methods and variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any

from ditta_ros.evaluation.outcome import Job
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.settings import SettingError, from_flat, parameters

Variant = tuple[str, Mapping[str, Any]]
"""The name of what an ablation changes, and the parameter; ('', {}): nothing is changed."""

DEFAULTS: Variant = ('', {})
PLAIN = 'iss'
MOST_STEPS = 1000
# Parameters that other options of the command set for every job.
TAKEN = {
    'warm_up.unit': '--warmup', 'warm_up.amount': '--warmup',
    'warm_up.stream_length_frames': '--warmup', 'adaptation.seed': '--seeds'}


def make_jobs(
    sources: Sequence[str], methods: Sequence[str], warm_ups: Sequence[str],
    seeds: Sequence[int], values: Mapping[str, Any], variants: Sequence[Variant] = (),
    live_rate_hz: float | None = None,
) -> tuple[Job, ...]:
    """Return every job once, those that are compared with each other side by side.

    ``warm_ups`` are texts of ``WarmUpLength``.  Each method runs with ``values`` and with each
    variant by itself; the plain model with those variants alone that change what it sees.
    """
    jobs = (
        Job(source, method, warm_up, seed, {**values, **changed}, name, live_rate_hz)
        for source, warm_up, seed, method in product(sources, warm_ups, seeds, methods)
        for name, changed in (DEFAULTS, *variants) if _matters(method, changed))
    return tuple({job.key: job for job in jobs}.values())


def _matters(method: str, changed: Mapping[str, Any]) -> bool:
    return method != PLAIN or all(name.startswith('segmenter.') for name in changed)


def checked_values(items: Iterable[str]) -> dict[str, Any]:
    """Return the values of ``name=value`` texts; raises SettingError for what does not work."""
    values = parse_overrides(items)
    for name in values:
        _check_free(name)
    from_flat(values)
    return values


def parse_ablation(text: str) -> list[Variant]:
    """Return the variants of ``NAME=from:to:step``, both ends included, or ``NAME=a,b,c``.

    NAME is a parameter, or its last part where that is clear: ``lambda_area``.  Raises
    SettingError.
    """
    name, equals, values = text.partition('=')
    if not (equals and values):
        raise SettingError(f'--ablate takes NAME=from:to:step or NAME=a,b,c, got {text!r}')
    name = _full_name(name.strip())
    _check_free(name)
    items = _range(text, values) if ':' in values else values.split(',')
    variants: list[Variant] = []
    for item in items:
        changed = parse_overrides([f'{name}={item.strip()}'])
        from_flat(changed)
        variants.append((f'{name}={changed[name]}', changed))
    return variants


def _full_name(name: str) -> str:
    known = [parameter.name for parameter in parameters()]
    found = [each for each in known if each == name or each.endswith(f'.{name}')]
    if len(found) != 1:
        raise SettingError(
            f'--ablate needs one parameter, got {name!r}, which is '
            f'{" or ".join(found) or "none"}; see config/ditta.yaml')
    return found[0]


def _check_free(name: str) -> None:
    if name in TAKEN:
        raise SettingError(f'{name} is set by {TAKEN[name]} here: give that instead')


def _range(text: str, values: str) -> list[str]:
    """Return the numbers of ``from:to:step`` as texts, exact in decimals."""
    try:
        start, stop, step = (Decimal(part.strip()) for part in values.split(':'))
        count = int((stop - start) / step) + 1 if step > 0 and stop >= start else 0
    except (InvalidOperation, ValueError, OverflowError):
        count = 0
    if not 1 <= count <= MOST_STEPS:
        raise SettingError(
            f'--ablate takes from:to:step with from <= to, a step above 0 and {MOST_STEPS} steps '
            f'at most, such as 0.1:1.0:0.1, got {text!r}')
    return [f'{start + index * step}' for index in range(count)]
