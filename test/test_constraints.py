"""The pinned versions are those of everything that the package needs, and new enough for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from distutils.core import run_setup
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from setuptools import Distribution

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / 'config' / 'constraints.txt'
HINT = 'python test/test_constraints.py > config/constraints.txt'


def canonical(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def pinned() -> dict[str, str]:
    lines = (line.strip() for line in CONSTRAINTS.read_text().splitlines())
    pairs = [line.split('==') for line in lines if line and not line.startswith('#')]
    return dict(pairs)


def needed(lines: Iterable[str]) -> dict[str, str]:
    """Return the installed version of what requirements need, and what these need, and so on."""
    found: dict[str, str] = {}
    waiting = [Requirement(line) for line in lines]
    seen: set[tuple[str, str]] = set()
    while waiting:
        asked = waiting.pop()
        name = canonical(asked.name)
        for extra in ('', *asked.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                installed = distribution(asked.name)
            except PackageNotFoundError:
                continue  # of another platform, or an extra that is not installed here
            found[name] = installed.version
            waiting += [
                each for each in map(Requirement, installed.requires or ())
                if each.marker is None or each.marker.evaluate({'extra': extra})]
    return found


def lines(setup: Distribution) -> list[str]:
    return [*setup.install_requires, *(
        line for extra in setup.extras_require.values() for line in extra)]


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Distribution:
    """What setup.py says; nothing is built."""
    monkeypatch.chdir(ROOT)
    return run_setup('setup.py', stop_after='init')


def test_every_requirement_is_pinned_within_its_bounds(setup: Distribution) -> None:
    pins = pinned()
    for line in lines(setup):
        asked = Requirement(line)
        pin = pins.get(canonical(asked.name))
        assert pin is not None, f'{asked.name} is not pinned: {HINT}'
        assert asked.specifier.contains(pin), f'{line} does not allow {pin}: {HINT}'


def test_pins_are_whole_versions_in_order() -> None:
    names = list(pinned())
    assert names == sorted(names)
    assert names == [canonical(name) for name in names]
    # A constraint with a local version (2.14.1+cpu) fits one index alone.
    assert [pin for pin in pinned().values() if Version(pin).local] == []


def test_what_they_need_themselves_is_pinned(setup: Distribution) -> None:
    """What is installed may be newer than the pins; that a name has none is a fault."""
    absent = set(needed(lines(setup))) - set(pinned())
    assert absent == set(), HINT


if __name__ == '__main__':
    import os
    import sys

    os.chdir(ROOT)
    versions = needed(lines(run_setup('setup.py', stop_after='init')))
    sys.stdout.write(
        '# The versions that the tests have passed with, on Python 3.11, Linux x86_64:\n'
        '#     pip install -c config/constraints.txt .\n')
    for name, version in sorted(versions.items()):
        sys.stdout.write(f'{name}=={version.partition("+")[0]}\n')
