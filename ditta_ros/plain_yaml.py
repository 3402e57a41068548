"""Yaml files from elsewhere, read within bounds.

A few bytes of yaml can claim all memory or the whole stack: aliases repeat what they name, and
what repeats them, and brackets nest.  A file of ours needs neither these nor tags.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ditta_ros.errors import one_line

MAX_BYTES = 2**20  # the labels of 150 classes take 5 kB
# Written as !!str.  ROS takes it in parameter files, and no other tag.
TEXT_TAG = 'tag:yaml.org,2002:str'
MAX_DEPTH = 40  # mappings and lists in one another; a SAM 2 has 7


class PlainYamlError(ValueError):
    """A file is no plain yaml: one line with the rule and what came, without the file's name."""


def plain_text(path: str | Path) -> str:
    """Return the text of a yaml file that is small, shallow, and without aliases and tags.

    The tag of texts may stand.  Raises PlainYamlError for any other file, and for one that cannot
    be read.
    """
    try:
        with Path(path).open('rb') as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise PlainYamlError(f'it may have {MAX_BYTES} bytes at most, got more')
        text = data.decode()
        _check_events(text)
    # ValueError: text that is not UTF-8, a path with a zero byte.
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise PlainYamlError(one_line(error)) from error
    return text


def plain_value(text: str) -> Any:
    """Return what a ``plain_text`` holds.  Raises PlainYamlError."""
    try:
        return yaml.safe_load(text)
    # ValueError: a date that no calendar has, an integer of thousands of digits.
    except (yaml.YAMLError, ValueError) as error:
        raise PlainYamlError(one_line(error)) from error


def _check_events(text: str) -> None:
    """Raise PlainYamlError or yaml's own error; takes no memory for what the text claims."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise PlainYamlError(f'it may nest {MAX_DEPTH} levels at most, got more{_at(event)}')
        anchor, tag = getattr(event, 'anchor', None), getattr(event, 'tag', None)
        if anchor is not None:
            raise PlainYamlError(
                f'it may have no anchors and aliases, got {anchor!r}{_at(event)}: write '
                'out what it stands for')
        if tag not in (None, TEXT_TAG):
            raise PlainYamlError(
                f'it may have no tags, got {tag!r}{_at(event)}: leave it out')


def _at(event: yaml.Event) -> str:
    mark = event.start_mark
    return '' if mark is None else f' in line {mark.line + 1}'
