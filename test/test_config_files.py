"""Files of config/ are found from wherever the modules were installed to."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ditta_ros import config_files

ROOT = Path(__file__).parents[1]


def found_by_modules_in(folder: Path) -> Callable[[str], Path]:
    """Return ``config_file`` of a copy of the module in ``folder``/ditta_ros."""
    (folder / 'ditta_ros').mkdir(parents=True)
    copy = shutil.copy(config_files.__file__, folder / 'ditta_ros' / 'config_files.py')
    spec = importlib.util.spec_from_file_location('copied', copy)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.config_file


def test_in_the_source_tree() -> None:
    assert config_files.config_file('fastdds.xml') == ROOT / 'config' / 'fastdds.xml'


@pytest.mark.parametrize('modules', [
    'lib/python3.12/site-packages', 'local/lib/python3.12/dist-packages'])
def test_installed_below_a_prefix(modules: str, tmp_path: Path) -> None:
    config = tmp_path / 'share' / 'ditta_ros' / 'config'
    config.mkdir(parents=True)
    (config / 'a.yaml').write_text('a: 1')
    config_file = found_by_modules_in(tmp_path / modules)
    assert config_file('a.yaml') == config / 'a.yaml'
    with pytest.raises(FileNotFoundError, match=r'config/b\.yaml is part of ditta_ros'):
        config_file('b.yaml')
