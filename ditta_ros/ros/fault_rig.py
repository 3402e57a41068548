"""Faults put into the real node over DDS, one after the other: what is labelled, and what is said.

``python -m ditta_ros.ros.fault_rig FOLDER NAME ...`` prints a line of JSON for each.  A process of
its own for the soak, as the middleware reads its environment when it starts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from ditta_ros.demo.world import World
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.messages import to_message
from ditta_ros.ros.qos import IMAGE_OUT, LATCHED
from ditta_ros.soak.fault import Fault

PATIENCE_S = 240.0  # for the models to load, and for a cause to be told, on a busy machine
END_S = 60.0
WARM_UP_FRAMES = 6
FRAMES = 110  # sent at least, so that one in a hundred is more than one
PERIOD_S = 0.2
SILENCE_S = 4.0  # the camera's, by the wall's clock; by the stamps it is a minute
PICTURES = 8
SMALL_TRACKER_SIDE_PX = 192


@dataclass(frozen=True)
class Scenario:
    """A fault, what the camera does meanwhile, and what must be told (a regular expression)."""

    name: str
    injection: str  # of faulty_node
    camera: Callable[[Rig], None]
    expected: str


class Rig:
    """A camera before a node with a fault; ``told`` is what status and diagnostics have said.

    ``frames`` is how many its camera sends.
    """

    def __init__(
        self, context: Context, process: subprocess.Popen[bytes], log: Path, frames: int,
    ) -> None:
        self.frames = frames
        self.status: dict[str, Any] = {}
        self.told: dict[str, None] = {}  # in order, each once
        self._process, self._log = process, log
        self._executor = SingleThreadedExecutor(context=context)
        self._node = rclpy.create_node('fault_rig', context=context)
        self._executor.add_node(self._node)
        self._images = self._node.create_publisher(Image, 'image', IMAGE_OUT)
        self._masks: list[Time] = []
        self._node.create_subscription(
            Image, 'segmentation/mask', lambda mask: self._masks.append(mask.header.stamp),
            IMAGE_OUT)
        self._node.create_subscription(String, 'segmentation/status', self._take, LATCHED)
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._read, 10)
        self._service = self._node.create_client(Trigger, 'ditta/save')
        self._pictures = [
            World(seed=3).frame(0.1 * index).rgb for index in range(PICTURES)]
        self._next = count()

    def begin(self) -> None:
        """Wait until the node listens."""
        self._until(lambda: self._images.get_subscription_count() and all(
            self._node.count_publishers(f'segmentation/{name}') for name in ('mask', 'status')),
            'node that listens')

    def send(self, stamp_ns: int | None = None) -> Time:
        """Send the next picture, and return its stamp; a tenth of a second after the last."""
        index = next(self._next)
        if stamp_ns is None:
            stamp_ns = 100_000_000_000 + index * 100_000_000
        stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        self._images.publish(to_message(
            self._pictures[index % PICTURES], 'rgb8', Header(stamp=stamp, frame_id='camera')))
        return stamp

    def show(self, stamp_ns: int | None = None) -> None:
        """Send the next picture, and wait for its mask or for the node to drop it."""
        dropped, stamp = self._dropped, self.send(stamp_ns)
        self._until(lambda: stamp in self._masks or self._dropped > dropped, 'mask')
        self._masks.clear()

    def rest(self, seconds: float) -> None:
        """Send nothing for so long."""
        end_s = time.monotonic() + seconds
        self._until(lambda: time.monotonic() >= end_s, 'end of the rest')

    def save(self) -> None:
        """Call the node's service, and keep its answer."""
        self._until(self._service.service_is_ready, 'service save')
        answer = self._service.call_async(Trigger.Request())
        self._until(answer.done, 'answer of save')
        self.told[answer.result().message] = None

    def await_told(self, expected: str) -> str:
        """Return the first text that matches, which may be yet to come; '' where none comes."""
        def found() -> str:
            return next((text for text in self.told if re.search(expected, text)), '')

        end_s = time.monotonic() + PATIENCE_S
        self._until(lambda: found() or time.monotonic() > end_s, expected)
        return found()

    def await_counts(self) -> None:
        """Wait until the status counts every frame that was received."""
        self._until(lambda: self.status['frames_received'] == (
            self.status['frames_labelled'] + sum(self.status['dropped'].values())), 'last count')

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()

    @property
    def _dropped(self) -> int:
        return sum(self.status.get('dropped', {}).values())

    def _until(self, done: Callable[[], Any], what: str) -> None:
        end_s = time.monotonic() + 2 * PATIENCE_S
        while not done():
            if time.monotonic() > end_s or self._process.poll() is not None:
                raise RuntimeError(
                    f'the node must live and answer, got no {what}; its log: '
                    f'{self._log.read_text(errors="replace")[-2000:]}')
            self._executor.spin_once(timeout_sec=0.02)

    def _take(self, message: String) -> None:
        self.status = json.loads(message.data)

    def _read(self, array: DiagnosticArray) -> None:
        for status in array.status:
            self.told[status.message] = None
            self.told.update(dict.fromkeys(f'{each.key}: {each.value}' for each in status.values))


def all_shown(rig: Rig) -> None:
    """Every picture is shown when the mask of the one before has come."""
    for _ in range(rig.frames):
        rig.show()


def at_a_rate(rig: Rig) -> None:
    """Pictures come when it is time, labelled or not; more, as the slow one costs ten."""
    for _ in range(10 * rig.frames):
        rig.send()
        rig.rest(PERIOD_S)


def silent_for_a_minute(rig: Rig) -> None:
    """Nothing is sent for a while, and the stamps say that it was a minute."""
    half = rig.frames // 2
    for index in range(rig.frames):
        if index == half:
            rig.rest(SILENCE_S)
        rig.show(100_000_000_000 + index * 100_000_000 + (index >= half) * 60 * 10**9)


def back_in_time(rig: Rig) -> None:
    """The stamps go back in the middle of the warm-up."""
    for index in range(rig.frames):
        rig.show(10**9 * (200 - 100 * (index >= WARM_UP_FRAMES // 2)) + index * 10**8)


def saved(rig: Rig) -> None:
    """The adapted model is saved, and labels go on."""
    all_shown(rig)
    rig.await_told('promoted: True')
    rig.save()
    all_shown(rig)


SCENARIOS = (
    Scenario('the tracker raises', 'tracker_raises', all_shown,
             'adaptation abandoned: 5 faults in a row, the last: RuntimeError: injected'),
    Scenario('out of memory in the tracker', 'tracker_out_of_memory', all_shown,
             'adaptation abandoned: 5 faults in a row, the last: OutOfMemoryError: injected'),
    Scenario('out of memory in learning', 'learning_out_of_memory', all_shown,
             'adaptation abandoned: 5 faults in a row, the last: MemoryError: injected'),
    Scenario('out of memory in labelling', 'labels_out_of_memory', all_shown,
             'adaptation abandoned: labels need its memory: OutOfMemoryError: injected'),
    Scenario('the loss is NaN', 'loss_not_a_number', all_shown,
             'adaptation abandoned: 5 faults in a row, the last: BadStepError: the loss'),
    Scenario('the adaptation dies of a mistake', 'adaptation_dies', all_shown,
             'adaptation abandoned: AttributeError: injected'),
    Scenario('a frame takes ten periods', 'slow_frame', at_a_rate,
             r'dropped, superseded: [1-9]'),
    Scenario('the camera stops for a minute', 'nothing', silent_for_a_minute, 'no image for'),
    Scenario('stamps go back', 'nothing', back_in_time, 'warm up restarts: 1'),
    Scenario('the disk is full while saving', 'disk_full', saved, 'cannot be written'))


def suffer(scenario: Scenario, domain_id: int, folder: Path, frames: int = FRAMES) -> Fault:
    """Run the node with the fault before a camera; raises RuntimeError where the node ends.

    Several may run at a time, in a domain and a folder of each.
    """
    with (
        _node(scenario, domain_id, folder) as (process, log),
        _rig(process, log, domain_id, frames) as rig,
    ):
        rig.begin()
        scenario.camera(rig)
        cause = rig.await_told(scenario.expected)
        rig.await_counts()
        return Fault(scenario.name, rig.status['frames_received'],
                     rig.status['frames_labelled'], cause)


@contextmanager
def _node(
    scenario: Scenario, domain_id: int, folder: Path,
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = folder / f'{scenario.injection}.log'
    values = {
        'warm_up.amount': f'{WARM_UP_FRAMES}.0', 'adaptation.passes': 1, 'tau': 0.6,
        'adaptation.held_out_percent': '0.0',  # or the guard says whether there is one to save
        'status_rate_hz': '20.0',
        'qos_overrides./image.subscription.reliability': 'reliable',
        'checkpoint.path': folder / 'adapted.safetensors'}
    if scenario.camera is at_a_rate:
        # Units of adaptation that outlast a period would cost frames, too.
        values['tracker.image_size_px'] = SMALL_TRACKER_SIDE_PX
    else:
        values['adaptation.max_added_latency_ms'] = '1000000.0'  # each mask is awaited
    words = [word for name, value in values.items() for word in ('-p', f'{name}:={value}')]
    with log.open('wb') as out:
        process = subprocess.Popen(
            [sys.executable, '-m', 'ditta_ros.ros.faulty_node', scenario.injection, '--ros-args',
             *words], stdout=out, stderr=subprocess.STDOUT,
            env={**process_environment(), 'ROS_DOMAIN_ID': str(domain_id)})
    try:
        yield process, log
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        finally:
            process.kill()


@contextmanager
def _rig(
    process: subprocess.Popen[bytes], log: Path, domain_id: int, frames: int,
) -> Iterator[Rig]:
    context = Context()
    rclpy.init(
        context=context, domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO)
    rig = Rig(context, process, log, frames)
    try:
        yield rig
    finally:
        rig.close()
        context.try_shutdown()


def main() -> int:
    """Suffer the scenarios that are named, and print a line of JSON for each."""
    folder, *names = sys.argv[1:]
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f'a fault must be one of {", ".join(known)}, got {unknown[0]!r}\n')
        return 2
    for name in names:
        fault = suffer(known[name], int(os.environ['ROS_DOMAIN_ID']), Path(folder))
        sys.stdout.write(json.dumps(asdict(fault)) + '\n')
        sys.stdout.flush()
    return 0


if __name__ == '__main__':
    sys.exit(main())
