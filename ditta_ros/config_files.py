"""Where the files of ``config/`` lie: in a source tree, or installed."""

from __future__ import annotations

from pathlib import Path


def config_file(name: str) -> Path:
    """Return where ``config/<name>`` lies; raises FileNotFoundError.

    Whatever installs the package, colcon or pip, puts them into the ``share`` of the prefix whose
    ``lib`` the modules are in; so no ROS workspace needs to be sourced.
    """
    here = Path(__file__).resolve()
    source_tree = here.parents[1] / 'config'
    for folder in (source_tree, *(above / 'share/ditta_ros/config' for above in here.parents)):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f'config/{name} is part of ditta_ros, found neither in {source_tree} nor in a '
        f'share/ditta_ros/config above {here.parent}: install the package again')
