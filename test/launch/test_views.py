"""The RViz and Foxglove views name what the node has."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SHOWN = {'image', 'segmentation/overlay', 'segmentation/confidence'}


def topics_of_the_node() -> set[str]:
    """Return the names in the table of topics that the node's module begins with."""
    table = ast.get_docstring(ast.parse((ROOT / 'ditta_ros/ros/ditta_node.py').read_text()))
    assert table is not None
    return {
        name for line in table.splitlines() if line.startswith('| ')
        for name in re.findall(r'``(.+?)``', line)}


def rviz() -> dict[str, Any]:
    return yaml.safe_load((ROOT / 'config/ditta.rviz').read_text())['Visualization Manager']


def foxglove() -> dict[str, Any]:
    return json.loads((ROOT / 'config/foxglove_ditta.json').read_text())


def panels(layout: Any) -> list[str]:
    """Return the panels that the tree of a Foxglove layout places."""
    if isinstance(layout, str):
        return [layout]
    return panels(layout['first']) + panels(layout['second'])


def test_the_table_of_topics_is_read() -> None:
    assert {'image', 'segmentation/mask', 'segmentation/status'} <= topics_of_the_node()


def test_rviz_shows_topics_of_the_node() -> None:
    displays = rviz()['Displays']
    topics = [display['Topic']['Value'] for display in displays]
    assert set(topics) >= SHOWN
    assert set(topics) <= topics_of_the_node()
    assert len({display['Name'] for display in displays}) == len(displays)
    assert all(display['Class'] in (
        'rviz_default_plugins/Image', 'rviz_default_plugins/PointCloud2') for display in displays)


def test_rviz_receives_what_is_sent() -> None:
    # A camera may be best effort; to the node's reliable outputs no image need be lost.
    reliability = {
        display['Topic']['Value']: display['Topic']['Reliability Policy']
        for display in rviz()['Displays']}
    assert reliability.pop('image') == 'Best Effort'
    assert set(reliability.values()) == {'Reliable'}


def test_foxglove_shows_topics_of_the_node() -> None:
    topics = set()
    for panel, config in foxglove()['configById'].items():
        kind = panel.partition('!')[0]
        if kind == 'Image':
            topics.add(config['imageMode']['imageTopic'])
        elif kind == '3D':
            topics |= set(config['topics'])
        elif kind == 'RawMessages':
            topics.add(config['topicPath'].removesuffix('.data'))
        else:
            assert kind == 'DiagnosticSummary'
            topics.add(config['topicToRender'])
    # Absolute, as Foxglove knows no other.
    assert topics >= {f'/{name}' for name in SHOWN | {'segmentation/status', 'diagnostics'}}
    assert topics <= {f'/{name.lstrip("/")}' for name in topics_of_the_node()}


def test_foxglove_places_every_panel_once() -> None:
    layout = foxglove()
    placed = panels(layout['layout'])
    assert sorted(placed) == sorted(layout['configById'])
