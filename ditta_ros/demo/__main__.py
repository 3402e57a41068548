"""The demo: ``python -m ditta_ros.demo [--source VIDEO|BAG|FOLDER|world:...] [--out DIR]``.

1. The demo world, a noisy street, becomes a bag; a source of the user's is taken as it is.
2. The real node starts as a process of its own; the frames go to it over DDS, each once.
3. The plain model (ISS) labels the same frames in this process.
4. Tables, a picture and a bag with the masks show what the adaptation changed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ditta_ros.demo.node_process import NodeError
from ditta_ros.demo.walk import (
    Stream,
    fresh_bag,
    label_with_plain_model,
    play_through_node,
    report,
)
from ditta_ros.errors import ModelError
from ditta_ros.evaluation.bags import IMAGE_TOPIC, TRUTH_TOPIC, BagError, bag_source
from ditta_ros.evaluation.make_bag import write_bag
from ditta_ros.evaluation.metrics import LabelError
from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.evaluation.source import Source, SourceError
from ditta_ros.evaluation.sources import open_source, world_source
from ditta_ros.ros.dds import profile_environment, profile_path
from ditta_ros.ros.player import PlayerError
from ditta_ros.settings import SettingError

# One stream, to look at; figures over many streams come from evaluation/streams.py.
DEMO_WORLD = 'world:seed=21,shift=noise:0.7,frames=90,rate=10'
# The embedded models have learned from images of 256 px, and a CPU is to come to the end of a
# video in minutes.
PARAMETERS = {
    'warm_up.unit': 'percent', 'warm_up.amount': 25.0, 'segmenter.max_side_px': 512}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo: 0 where every frame was labelled, 1 where not, 2 where it cannot run."""
    options = _parser().parse_args(arguments)
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the node is stopped then, too
    # Now, since the middleware of this process reads it when rclpy starts.
    os.environ.update(profile_environment(profile_path(), os.environ))
    try:
        return 0 if run(options, console) else 1
    except (BagError, LabelError, ModelError, NodeError, PlayerError, SettingError,
            SourceError) as error:
        console.print(str(error), style='red', markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print('interrupted; the node was stopped')
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m ditta_ros.demo',
        description='Plays frames through the node and shows what the adaptation changed.')
    parser.add_argument(
        '--source', default='', help=f'video, bag or folder of images; default: {DEMO_WORLD}')
    parser.add_argument('--topic', default='', help="a bag's image topic, where it has several")
    parser.add_argument(
        '--out', type=Path, default=Path('demo_out'), help='folder for the picture and the bags')
    parser.add_argument(
        '--set', action='append', default=[], metavar='NAME=VALUE', dest='overrides',
        help='a parameter of the node, as in config/ditta.yaml; may be repeated '
             f'(default: {" ".join(f"{k}={v}" for k, v in PARAMETERS.items())})')
    return parser


def run(options: argparse.Namespace, console: Console) -> bool:
    """Walk through the demo; return whether every frame was labelled and the node ended well."""
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    values = {**PARAMETERS, **parse_overrides(options.overrides)}
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        source = _source(options, progress)
        stream = Stream.plan(_title(options.source), source, values)
        walk, session = play_through_node(stream, values, out, progress)
        plain = label_with_plain_model(stream, session, out, progress)
        label_set = session.label_set
        session.close()
    report(stream, walk, plain, label_set, out, console)
    return walk.play.labelled == walk.play.sent and walk.exit_code == 0


def _title(given: str) -> str:
    """Return a world as it is written, and of a path its last part."""
    if not given:
        return DEMO_WORLD
    return Path(given).name if Path(given).exists() else given


def _source(options: argparse.Namespace, progress: Progress) -> Source:
    if options.source:
        return open_source(options.source, options.topic)
    path = fresh_bag(options.out / 'demo_world')
    write_bag(world_source(DEMO_WORLD), path, progress)
    return bag_source(path, IMAGE_TOPIC, TRUTH_TOPIC)


if __name__ == '__main__':
    sys.exit(main())
