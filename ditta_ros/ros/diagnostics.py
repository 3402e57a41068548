"""The node's health on ``/diagnostics``: input, inference and adaptation, once a second.

As diagnostic_updater does it: the topic is absolute, a status is called ``NODE: TASK``, where NODE
is the node's name with its namespace, and its message sums up what is wrong, the worst first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

PERIOD_S = 1.0
SILENT_S = 2.0  # without an image, after some came
NOT_ACTIVE = 'not active'
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

Finding = tuple[bytes, str]
"""A level, and what is found, in a few words."""


@dataclass(frozen=True)
class Reading:
    """What is known of an active node at one time.

    ``status`` is the worker's; ``silent_s`` the time since the last image; ``incompatible`` a line
    for each publisher of images that the node cannot receive.
    """

    status: dict[str, Any] = field(default_factory=dict)
    silent_s: float = 0.0
    incompatible: Sequence[str] = ()

    def count(self, name: str) -> int:
        """Return a count of the status, or of one cause of drops; 0 where there is none yet."""
        return int(self.status.get(name, self.status.get('dropped', {}).get(name, 0)))

    def grown(self, name: str, before: Reading) -> int:
        """Return how much a count grew; a worker made since then has begun at 0."""
        now, then = self.count(name), before.count(name)
        return now - then if now >= then else now


class Diagnostics:
    """Publishes the three statuses of ``node`` once a second.

    ``status`` returns the worker's status, None while the node is not active; ``incompatible``
    the lines of ``qos.incompatible_publishers``, asked for while it is active.
    """

    def __init__(
        self, node: Node, status: Callable[[], dict[str, Any] | None],
        incompatible: Callable[[], Sequence[str]],
    ) -> None:
        self._node, self._status, self._incompatible = node, status, incompatible
        self._before = Reading()
        self._active = False
        self._image_s = 0.0  # when the last image was counted
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        # Steady: health is told while simulated time stands still.
        node.create_timer(PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Publish the statuses as they are now."""
        status = self._status()
        found = inactive() if status is None else self._read(status)
        self._active = status is not None
        name = self._node.get_fully_qualified_name().lstrip('/')
        for each in found:
            each.name = f'{name}: {each.name}'
            each.hardware_id = self._node.resolve_topic_name('image')
        array = DiagnosticArray(status=found)
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _read(self, status: dict[str, Any]) -> list[DiagnosticStatus]:
        now_s, before = time.monotonic(), self._before
        reading = Reading(status)
        if reading.grown('frames_received', before) or not self._active:
            self._image_s = now_s
        self._before = now = Reading(status, now_s - self._image_s, self._incompatible())
        return [
            input_status(now, before), inference_status(now, before, resources()),
            adaptation_status(now, before)]


def inactive() -> list[DiagnosticStatus]:
    """Return the statuses of a node that does nothing, as it was told to."""
    return [_status(task, [], NOT_ACTIVE, {}) for task in ('input', 'inference', 'adaptation')]


def input_status(now: Reading, before: Reading) -> DiagnosticStatus:
    """Say whether images come and are labelled."""
    findings: list[Finding] = []
    received = now.count('frames_received')
    came = now.grown('frames_received', before)
    # A camera may be faster than the model, and a deactivation leaves an image unlabelled: no
    # fault.  What fails is told under inference.
    drops = {
        cause: now.grown(cause, before) for cause in now.status['dropped']
        if cause not in ('superseded', 'stopped', 'fault')}
    if now.incompatible:
        findings.append((
            WARN if received else ERROR,
            f'publishers with incompatible QoS: {len(now.incompatible)}'))
    if came and drops['bad_message'] >= came:
        findings.append((ERROR, 'no message is an image that can be read: see the log'))
    elif any(drops.values()):
        counts = ', '.join(f'{count} {cause}' for cause, count in drops.items() if count)
        findings.append((WARN, f'images dropped: {counts}'))
    if now.silent_s > SILENT_S:
        findings.append((WARN, f'no image for {now.silent_s:.0f} s'))
    well = f'{now.status["input_hz"]:.1f} images a second' if received else (
        'waiting for the first image')
    return _status('input', findings, well, {
        'rate (Hz)': now.status['input_hz'], 'images received': received,
        'images labelled': now.count('frames_labelled'),
        **{f'dropped, {cause}': count for cause, count in now.status['dropped'].items()},
        'incompatible publishers': '; '.join(now.incompatible) or 'none'})


def inference_status(
    now: Reading, before: Reading, resources: dict[str, Any],
) -> DiagnosticStatus:
    """Say how long labels take, and what is used for them: ``resources``, as shown."""
    findings: list[Finding] = []
    faults, labelled = now.grown('fault', before), now.grown('frames_labelled', before)
    if faults:
        findings.append((
            WARN if labelled else ERROR, f'frames that failed: {faults}, see the log'))
    computing = now.status.get('computing', '')  # precision, and compiled or not
    if 'failed' in computing:
        findings.append((WARN, f'labels are computed in {computing}: see the log'))
    latency, engine = now.status['latency_ms'], now.status['engine_ms']
    well = f'{latency["p50"]:.0f} ms from image to labels' if latency else 'no frame labelled yet'
    return _status('inference', findings, well, {
        **{f'latency {name} (ms)': value for name, value in latency.items()},
        **{f'engine {name} (ms)': value for name, value in engine.items()},
        'frames failed': now.count('fault'), 'computing': computing, **resources})


def adaptation_status(now: Reading, before: Reading) -> DiagnosticStatus:
    """Say how far the adaptation is, and what keeps it from going on."""
    findings: list[Finding] = []
    status, faults = now.status, now.grown('adaptation_faults', before)
    if faults:
        findings.append((WARN, f'steps that failed: {faults}, see the log'))
    if status['starved']:
        findings.append((WARN, status['starved']))
    if status.get('abandoned'):
        findings.append((WARN, status['why']))
    if status.get('drift'):
        findings.append((WARN, f'labels have become worse: {status["drift"]}'))
    why = status.get('why', '')
    well = f'{status["phase"]}: {why}' if why else status['phase']
    shown = (
        'phase', 'model', 'objects', 'warm_up_frames', 'warm_up_restarts', 'adaptation_steps',
        'adaptation_steps_planned', 'adaptation_faults', 'last_fault', 'promoted', 'drift', 'why')
    return _status('adaptation', findings, well, {
        **{name.replace('_', ' '): status[name] for name in shown if name in status},
        **{f'loss, {name}': value for name, value in status.get('losses', {}).items()}})


def resources() -> dict[str, str]:
    """Return what this process computes on, and how much memory it holds."""
    found = {
        'device': 'CPU', 'memory (MB)': f'{psutil.Process().memory_info().rss / 1e6:.0f}'}
    if torch.cuda.is_initialized():  # only where the networks are on it
        found['device'] = torch.cuda.get_device_name()
        found['GPU memory (MB)'] = f'{torch.cuda.memory_reserved() / 1e6:.0f}'
    return found


def _status(
    task: str, findings: list[Finding], well: str, values: dict[str, Any],
) -> DiagnosticStatus:
    """Make a status: as bad as its worst finding; without one it is OK and says ``well``."""
    worst_first = sorted(findings, reverse=True, key=lambda finding: finding[0])
    return DiagnosticStatus(
        name=task, level=worst_first[0][0] if findings else OK,
        message='; '.join(text for _, text in worst_first) or well,
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()])
