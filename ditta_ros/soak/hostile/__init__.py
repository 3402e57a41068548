"""Inputs that may be broken in any way, one reader a module.

Each module opens a ``Feed``: it makes one input of what a ``Random`` draws, gives it to its
reader, and says whether that read it (True) or refused it (False) with the error that it
documents, in one line.  Whatever else a feed raises is a defect of the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from ditta_ros.soak.hostile import (
    adapted_files,
    bag_files,
    camera_messages,
    class_files,
    parameter_values,
    sam2_files,
    weights_files,
)
from ditta_ros.soak.hostile.refusal import Feed

READERS: Mapping[str, Callable[[Path], Feed]] = MappingProxyType({
    'adapted-decoder files': adapted_files.open_feed,
    'bags': bag_files.open_feed,
    'camera messages': camera_messages.open_feed,
    'groups, mappings, labels': class_files.open_feed,
    'SAM 2 yaml': sam2_files.open_feed,
    'SAM 2 weights': weights_files.open_feed,
    'parameters': parameter_values.open_feed,
})
"""By what is read: opens its feed, which may write into a folder of its own."""
