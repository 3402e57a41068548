"""The node around the engine: what it adds, and what the adaptation leaves of the label rate.

The real node runs in a process of its own, with the embedded models, in a ROS domain of its own;
this process is its camera.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ditta_ros.bench.options import Options
from ditta_ros.bench.row import Case, Row, Skipped, Tick
from ditta_ros.demo.node_process import NodeError, NodeProcess
from ditta_ros.demo.world import SIZE_PX, stream
from ditta_ros.ros.dds import process_environment, profile_environment, profile_path
from ditta_ros.settings import AdaptationSettings

if TYPE_CHECKING:
    from ditta_ros.ros.player import Player, Sent

# Promised beside the engine's time, by image size (H, W) in px.
OVERHEAD_BARS = {(720, 1280): '<= 3', (1080, 1920): '<= 6'}
OVERHEAD_MAX_SIDE_PX = 64  # the engine sees little of an image, so that its time is short
FIRST_HZ, OVERHEAD_HZ = 2.0, 5.0
# Of what the node can label without adapting: a camera that it just cannot keep up with, and one
# that leaves it time.
LOADS = (1.2, 0.6)
FRAMES_PER_REPEAT = 20
LEAST_FRAMES = 5  # that a rate is taken of, however soon the phase comes
ADAPTING = {'warm_up.amount': 20.0, 'adaptation.passes': 2}
# How long a frame may wait for the adaptation: the default, and as long as any unit takes, so that
# the share of the time that the adaptation may take is put to the test.
MAX_ADDED_LATENCIES_MS = (AdaptationSettings().max_added_latency_ms, 5000.0)
SCENE_FRAMES = 40  # of the demo world, shown again and again
NODE_START_S, STATUS_S = 240.0, 10.0


def cases(options: Options) -> list[Case]:
    """Return one case for each size of image, one for the label rate, one for the copies."""
    return [
        *(Case(f'node overhead {height}x{width}',
               partial(measure_overhead, (height, width), options))
          for height, width in OVERHEAD_BARS),
        Case('node label rate', partial(measure_rates, options)),
        Case('node copies', partial(measure_copies, (720, 1280)))]


def measure_overhead(size_px: tuple[int, int], options: Options, tick: Tick) -> list[Row]:
    """Return what a frame takes beside the engine: from camera to viewer, and in the node."""
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (*size_px, 3), np.uint8)
    values = {'segmenter.max_side_px': OVERHEAD_MAX_SIDE_PX, 'warm_up.amount': 0.0}
    with playing(values, options, tick) as player:
        sent = show(player, [image], OVERHEAD_HZ, options, tick)
        engine_ms, latency_ms = (
            player.status[name]['p50'] for name in ('engine_ms', 'latency_ms'))
    there_and_back_ms = 1e3 * median(waits_s(sent))
    fields: dict[str, Any] = {
        'setting': f'embedded, {size_px[0]}x{size_px[1]} rgb8, '
                   f'segmenter.max_side_px {OVERHEAD_MAX_SIDE_PX}',
        'theirs': engine_ms, 'unit': 'ms', 'against': 'the engine alone', 'bar_on': 'ours'}
    return [
        Row(name='node overhead, image sent to mask received',
            ours=there_and_back_ms - engine_ms, bar=OVERHEAD_BARS[size_px], **fields),
        Row(name='node overhead, arrival to publication', ours=latency_ms - engine_ms, **fields),
    ]


def measure_rates(options: Options, tick: Tick) -> list[Row]:
    """Return labels a second while the node warms up and adapts over those without."""
    scene = [frame.rgb for frame in stream(7, SCENE_FRAMES)]
    with playing({'warm_up.amount': 0.0}, options, tick) as player:
        show(player, scene, OVERHEAD_HZ, options, tick)
        most_hz = 1e3 / player.status['latency_ms']['p50']
        rates_hz = [load * most_hz for load in LOADS]
        alone = [show(player, scene, rate_hz, options, tick) for rate_hz in rates_hz]
    rows = []
    for load, rate_hz, rivals in zip(LOADS, rates_hz, alone, strict=True):
        for max_added_ms in MAX_ADDED_LATENCIES_MS:
            values = {**ADAPTING, 'adaptation.max_added_latency_ms': max_added_ms}
            with playing(values, options, tick) as player:
                adapting = show(player, scene, rate_hz, options, tick, until='frozen')
                status = player.status
            rows.append(Row(
                name='labels a second while warming up and adapting',
                setting=f'embedded, {SIZE_PX[0]}x{SIZE_PX[1]} at {rate_hz:.1f} images a second '
                        f'({load:g} of the most), max_added_latency_ms {max_added_ms:g}: '
                        f'{progress(status)}',
                ours=labels_per_s(adapting), theirs=labels_per_s(rivals), unit='Hz',
                against='without adaptation', bar='>= 0.8'))
    return rows


def progress(status: dict[str, Any]) -> str:
    """Return how far the adaptation has come."""
    still = ', stands still' if status['starved'] else ''
    return f'{status["phase"]}, {status["adaptation_steps"]} steps{still}'


def measure_copies(size_px: tuple[int, int], tick: Tick) -> list[Row]:
    """Return how often the node copies an image that came and a mask that goes."""
    tick('counting')
    with needing_rclpy():
        from ditta_ros.ros.copies import copies_in, copies_out
    height, width = size_px
    fields: dict[str, Any] = {'unit': 'copies', 'bar_on': 'ours'}
    return [  # bars of one copy: an array keeps some reserve
        *(Row(name='copies of an image, in', setting=f'{height}x{width} {encoding}',
              ours=copies_in(encoding, size_px), bar='<= 1.1', **fields)
          for encoding in ('rgb8', 'bgr8')),
        Row(name='copies of a mask, out', setting=f'{height}x{width} mono8',
            ours=copies_out(size_px), bar='<= 1.1', **fields)]


@dataclass
class Limit:
    """Whether a stream has been shown for long enough."""

    end_s: float
    frames: int
    phase: str
    shown: int = 0

    def reached(self, player: Player) -> bool:
        """Count one more image; True where it is one too many, or the phase has come."""
        self.shown += 1
        if monotonic() > self.end_s:
            return True
        if self.phase:
            return self.shown > LEAST_FRAMES and player.status.get('phase') == self.phase
        return self.shown > self.frames


def show(
    player: Player, images: Sequence[np.ndarray], rate_hz: float, options: Options, tick: Tick,
    until: str = '',
) -> list[Sent]:
    """Show ``images`` over and over: for some frames, or until a phase; never beyond the budget.

    The player's status is then one that tells of these frames.
    """
    await_first(player, images, tick)
    tick(f'{rate_hz:.1f} images a second')
    limit = Limit(
        monotonic() + options.budget_s, FRAMES_PER_REPEAT * options.repeats, until)
    before = player.status.get('frames_labelled', 0)
    sent = player.stream(cycle(images), rate_hz, partial(limit.reached, player))
    masks = len(waits_s(sent))
    if not player.wait_until(
            lambda: player.status.get('frames_labelled', 0) >= before + masks > before, STATUS_S):
        raise Skipped(f'of {len(sent)} images sent {masks} were answered')
    return sent


def await_first(player: Player, images: Sequence[np.ndarray], tick: Tick) -> None:
    """Show ``images`` until the node has labelled one.

    Some are lost before both sides have matched, and the first one loads libraries.
    """
    def labelled() -> bool:
        return bool(player.status.get('frames_labelled', 0))

    tick('waiting for the first label')
    end_s = monotonic() + NODE_START_S
    player.stream(cycle(images), FIRST_HZ, lambda: labelled() or monotonic() > end_s)
    if not labelled():
        raise Skipped(f'no image was labelled within {NODE_START_S:.0f} s')


def waits_s(sent: Sequence[Sent]) -> list[float]:
    """Return how long each image that was labelled waited for its mask."""
    return [each.mask_s - each.sent_s for each in sent if each.mask_s is not None]


def labels_per_s(sent: Sequence[Sent]) -> float:
    """Return how many masks came in a second, from the first to the last."""
    came_s = [each.mask_s for each in sent if each.mask_s is not None]
    if len(came_s) < 2:
        raise Skipped(f'a rate needs two masks, got {len(came_s)} of {len(sent)} images')
    return (len(came_s) - 1) / (max(came_s) - min(came_s))


@contextmanager
def playing(
    values: dict[str, Any], options: Options, tick: Tick,
) -> Iterator[Player]:
    """Start the node with the parameters ``values`` and wait until it listens."""
    tick('starting the node')
    os.environ.update(profile_environment(profile_path(), os.environ))  # before rclpy starts
    with needing_rclpy():
        from ditta_ros.ros.player import Player, PlayerError
    domain_id = 1 + os.getpid() % 100  # 0..101 are free of the ports that Linux hands out
    environment = {**process_environment(), 'ROS_DOMAIN_ID': str(domain_id)}
    parameters = {'segmenter.device': options.device.type, **values}
    try:
        with (
            TemporaryDirectory() as folder,
            NodeProcess(parameters, environment, Path(folder) / 'node.log') as node,
            Player(domain_id, node.check, outputs=('mask',)) as player,
        ):
            player.wait_for_node(NODE_START_S)
            yield player
    except (NodeError, PlayerError) as error:
        raise Skipped(str(error)) from error


@contextmanager
def needing_rclpy() -> Iterator[None]:
    """Say what is missing where rclpy cannot be imported."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise Skipped(f'the node needs ROS 2, which has no {error.name} here') from error
