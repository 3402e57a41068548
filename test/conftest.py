"""What all tests share: ``--golden-dir`` and the reference values in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

DEFAULT_GOLDEN_DIR = Path('../shared/golden')  # from the repository's root
GOLDEN_KINDS = ('addon', 'fuse', 'loss', 'metrics', 'targets')


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--golden-dir', type=Path, metavar='DIR',
        help=f'folder of reference values, *.npz (default: {DEFAULT_GOLDEN_DIR} from the '
        "repository's root; without it test/reference is skipped)")


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption('golden_dir')
    if folder is not None and not folder.is_dir():
        raise pytest.UsageError(f'--golden-dir must be a folder, got {str(folder)!r}')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what has a DDS domain of its own."""
    for item in items:
        if 'domain_id' in getattr(item, 'fixturenames', ()):
            item.add_marker('dds')


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``<kind>_golden`` once for each ``<kind>_*.npz`` of the folder.

    The test gets the file's arrays as a dictionary.
    """
    for kind in GOLDEN_KINDS:
        if f'{kind}_golden' in metafunc.fixturenames:
            metafunc.parametrize(f'{kind}_golden', _golden(metafunc.config, kind))


def _golden(config: pytest.Config, kind: str) -> list:
    folder = config.getoption('golden_dir') or config.rootpath / DEFAULT_GOLDEN_DIR
    files = sorted(folder.glob(f'{kind}_*.npz'))
    if not files:
        skip = pytest.mark.skip(reason=f'no {kind}_*.npz in {folder}: give --golden-dir')
        return [pytest.param(None, marks=skip, id='none')]
    return [pytest.param(dict(np.load(file)), id=file.stem) for file in files]
