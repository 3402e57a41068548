"""replay.launch.py as launch reads it, and a replay; skipped where launch, or ros2 bag, is not."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from ditta_ros.demo.world import World
from ditta_ros.evaluation.bags import BagWriter

ROOT = Path(__file__).parents[2]
FILE = ROOT / 'launch' / 'replay.launch.py'
PATIENCE_S = 400.0
FRAMES = 20

Describe = Callable[..., list[Any]]


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A bag of the demo world, and as a trap a mask of an earlier run."""
    path = tmp_path / 'drive'
    world = World(seed=3)
    with BagWriter(path) as writer:
        for index in range(FRAMES):
            rgb = world.frame(0.2 * index).rgb
            writer.image('/camera/image_raw', index * 200_000_000, 'camera', rgb)
            writer.image('/segmentation/mask', index * 200_000_000, 'old', rgb[:, :, 0])
    return path


def commands(actions: list[Any]) -> list[list[str]]:
    """Return the command line of each process that is no ROS node."""
    from launch import LaunchContext
    from launch.utilities import perform_substitutions
    return [
        [perform_substitutions(LaunchContext(), part) for part in action.cmd]
        for action in actions if type(action).__name__ == 'ExecuteProcess']


def test_the_node_and_the_recorder_start_and_the_first_cue_is_awaited(
    describe: Describe, bag: Path, tmp_path: Path,
) -> None:
    actions = describe(FILE, bag=str(bag), output=str(tmp_path / 'out'))
    record, begin = commands(actions)
    assert record[:3] == ['ros2', 'bag', 'record']
    assert str(tmp_path / 'out') in record
    assert begin[-3:] == ['begin', '/camera/image_raw', '--recorded']
    node, = (action for action in actions if type(action).__name__ == 'Node')
    assert node.node_executable == 'ditta_node'
    # Play and the last cue come with the handlers of the ends before them.
    assert sum(type(action).__name__ == 'RegisterEventHandler' for action in actions) == 3


def test_nothing_is_recorded_where_it_is_not_wanted(describe: Describe, bag: Path) -> None:
    (begin,) = commands(describe(FILE, bag=str(bag), record='false'))
    assert begin[-2:] == ['begin', '/camera/image_raw']


@pytest.mark.parametrize(('arguments', 'line'), [
    ({'bag': '/nowhere'}, 'bag must be the folder of a rosbag2, got /nowhere'),
    ({'topic': '/left/image'}, 'topic must have images in .* got /left/image'),
    ({'rate': '0'}, "rate must be a number > 0, .* got '0'"),
    ({'warm_up_percent': '120'}, "warm_up_percent must be a number .* got '120'"),
    ({'output': '/'}, 'output must not exist, got /'),
])
def test_a_wrong_argument_is_refused_in_a_line(
    describe: Describe, bag: Path, arguments: dict[str, str], line: str,
) -> None:
    with pytest.raises(ValueError, match=line) as raised:
        describe(FILE, **{'bag': str(bag), **arguments})
    assert '\n' not in str(raised.value)


def test_a_replay_records_the_masks_and_ends(
    launch: Callable[..., subprocess.Popen], bag: Path, tmp_path: Path,
) -> None:
    pytest.importorskip('ros2bag', reason='ros2 bag is part of a ROS 2 distribution')
    out = tmp_path / 'out'
    process = launch(
        FILE, f'bag:={bag}', f'output:={out}', 'device:=cpu', 'record_images:=true')
    code = process.wait(PATIENCE_S)
    log = (tmp_path / 'log.txt').read_text()
    assert code == 0, log
    assert 'Traceback' not in log
    frames: Counter[str] = Counter()
    with AnyReader([out], default_typestore=get_typestore(Stores.LATEST)) as reader:
        for connection, _, data in reader.messages():
            frames[connection.topic] += 1
            message: Any = reader.deserialize(data, connection.msgtype)
            if connection.topic == '/segmentation/mask':
                assert message.header.frame_id == 'camera', 'a mask of the bag was played'
    # A busy machine drops images.
    assert 1 <= frames['/segmentation/mask'] == frames['/segmentation/confidence'] <= FRAMES
    assert frames['/segmentation/status'] >= 1
    assert frames['/camera/image_raw'] >= 1
    assert f'{frames["/segmentation/mask"]} labelled' in log
