"""``ros2 run ditta_ros make_bag SOURCE OUT``: any source of frames as an MCAP rosbag2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from ditta_ros.evaluation.bags import IMAGE_TOPIC, TRUTH_TOPIC, BagError, BagWriter
from ditta_ros.evaluation.source import Source, SourceError
from ditta_ros.evaluation.sources import open_source


def write_bag(source: Source, path: Path, progress: Progress) -> int:
    """Write every frame of ``source``, and its truth where it has one; return their number.

    What cannot be read is left out, see ``source.skipped``.
    """
    count = 0
    task = progress.add_task(f'writing {path}', total=source.length_frames)
    with BagWriter(path) as bag:
        for frame in source:
            bag.image(IMAGE_TOPIC, frame.stamp_ns, frame.frame_id, frame.rgb)
            if frame.label is not None:
                bag.image(TRUTH_TOPIC, frame.stamp_ns, frame.frame_id, frame.label)
            progress.advance(task)
            count += 1
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 2 for input or output that does not work."""
    parser = argparse.ArgumentParser(
        prog='make_bag', description=f'Writes frames to {IMAGE_TOPIC} of an MCAP rosbag2, and '
        f'their truth, where there is one, to {TRUTH_TOPIC}.')
    parser.add_argument(
        'source', metavar='SOURCE',
        help='video file, folder of images, bag, video of VSPW, labelled frame of Cityscapes, or '
             'world:seed=7,shift=noise:0.5,frames=90')
    parser.add_argument('out', metavar='OUT', type=Path, help="the bag's directory, to be made")
    parser.add_argument('--topic', default='', help="a bag's image topic, where it has several")
    parser.add_argument(
        '--truth-topic', default='', help=f"the topic of a bag's labels (default: {TRUTH_TOPIC})")
    options = parser.parse_args(arguments)
    try:
        with Progress(transient=True) as progress:
            source = open_source(options.source, options.topic, options.truth_topic)
            count = write_bag(source, options.out, progress)
    except (SourceError, BagError) as error:
        print(error, file=sys.stderr)
        return 2
    skipped = sum(source.skipped.values())
    print(f'{options.out}: {count} frames' + (f', {skipped} skipped' if skipped else ''))
    return 0


if __name__ == '__main__':
    sys.exit(main())
