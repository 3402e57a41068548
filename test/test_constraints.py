"""The pinned versions are those of everything that the package needs, and new enough for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from distutils.core import run_setup
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from setuptools import Distribution

ROOT = Path(__file__).parents[1]
# Many releases of today are none for Python 3.10.
FILES = ('constraints.txt', 'constraints_py310.txt')
HERE = FILES[sys.version_info < (3, 11)]
HINT = 'python test/test_constraints.py > config/'


def canonical(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def pinned(file: str) -> dict[str, str]:
    lines = (line.strip() for line in (ROOT / 'config' / file).read_text().splitlines())
    pairs = [line.split('==') for line in lines if line and not line.startswith('#')]
    return dict(pairs)


def needed(lines: Iterable[str], pins: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the installed version of what requirements need, and what these need, and so on.

    With ``pins`` what others need than the pinned versions is left out: that is not known before.
    """
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
            found[name] = installed.version.partition('+')[0]
            if pins is not None and pins.get(name) != found[name]:
                continue
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


@pytest.mark.parametrize('file', FILES)
def test_every_requirement_is_pinned_within_its_bounds(file: str, setup: Distribution) -> None:
    pins = pinned(file)
    for line in lines(setup):
        asked = Requirement(line)
        pin = pins.get(canonical(asked.name))
        assert pin is not None, f'{asked.name} is not pinned: {HINT}{file}'
        assert asked.specifier.contains(pin), f'{line} does not allow {pin}: {HINT}{file}'


@pytest.mark.parametrize('file', FILES)
def test_pins_are_whole_versions_in_order(file: str) -> None:
    names = list(pinned(file))
    assert names == sorted(names)
    assert names == [canonical(name) for name in names]
    # A constraint with a local version (2.14.1+cpu) fits one index alone.
    assert [pin for pin in pinned(file).values() if Version(pin).local] == []


def test_what_the_pinned_versions_need_themselves_is_pinned(setup: Distribution) -> None:
    """Other versions may be installed, and need what they will: only pinned ones are asked."""
    pins = pinned(HERE)
    assert set(needed(lines(setup), pins)) - set(pins) == set(), HINT + HERE


def test_what_another_version_than_the_pinned_one_needs_is_not_asked() -> None:
    everything = set(needed(['pytest']))
    assert {'pytest', 'pluggy', 'iniconfig'} <= everything
    assert set(needed(['pytest'], {'pytest': '0'})) == {'pytest'}
    assert set(needed(['pytest'], needed(['pytest']))) == everything


if __name__ == '__main__':
    import os

    os.chdir(ROOT)
    versions = needed(lines(run_setup('setup.py', stop_after='init')))
    sys.stdout.write(
        '# The versions that the tests have passed with, on Python '
        f'{sys.version_info.major}.{sys.version_info.minor}, Linux x86_64:\n'
        f'#     pip install -c config/{HERE} .\n')
    for name, version in sorted(versions.items()):
        sys.stdout.write(f'{name}=={version}\n')
