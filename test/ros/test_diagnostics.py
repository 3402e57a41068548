from __future__ import annotations

import time
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from ditta_ros.ros import qos
from ditta_ros.ros.diagnostics import (
    Diagnostics,
    Reading,
    adaptation_status,
    inactive,
    inference_status,
    input_status,
    resources,
)
from worker_rig import Rig

PATIENCE_S = 60.0
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def worker_status(received: int = 0, labelled: int = 0, **changes: Any) -> dict[str, Any]:
    dropped = {'superseded': 0, 'bad_message': 0, 'fault': 0, 'stopped': 0}
    return {
        'phase': 'adapt', 'objects': 3, 'adaptation_steps': 4, 'losses': {'contrast': 0.25},
        'frames_received': received, 'frames_labelled': labelled,
        'dropped': {**dropped, **changes.pop('dropped', {})}, 'adaptation_faults': 0,
        'input_hz': 10.0 if received else 0.0, 'latency_ms': {}, 'engine_ms': {}, 'starved': '',
        **changes}


def told(status: DiagnosticStatus) -> tuple[bytes, str]:
    return status.level, status.message


def value(status: DiagnosticStatus, key: str) -> str:
    found, = [each.value for each in status.values if each.key == key]
    return found


BEFORE = Reading(worker_status(20, 20))


@pytest.mark.parametrize(('now', 'before', 'expected'), [
    (Reading(worker_status()), Reading(), (OK, 'waiting for the first image')),
    (Reading(worker_status(30, 30)), BEFORE, (OK, '10.0 images a second')),
    (Reading(worker_status(30, 24, dropped={'superseded': 6})), BEFORE,
     (OK, '10.0 images a second')),  # a camera may be faster than the model
    (Reading(worker_status(30, 24, dropped={'superseded': 3, 'bad_message': 3})), BEFORE,
     (WARN, 'images dropped: 3 bad_message')),
    (Reading(worker_status(30, 20, dropped={'bad_message': 10})), BEFORE,
     (ERROR, 'no message is an image that can be read: see the log')),
    # What was dropped before was told before.
    (Reading(worker_status(30, 24, dropped={'superseded': 6})),
     Reading(worker_status(20, 14, dropped={'superseded': 6})), (OK, '10.0 images a second')),
    # A deactivation is no fault, and a worker made anew counts from 0.
    (Reading(worker_status(21, 20, dropped={'stopped': 1})), BEFORE, (OK, '10.0 images a second')),
    (Reading(worker_status(5, 5)), BEFORE, (OK, '10.0 images a second')),
    (Reading(worker_status(20, 20), silent_s=3.2), BEFORE, (WARN, 'no image for 3 s')),
    (Reading(worker_status(), silent_s=3.2), Reading(), (WARN, 'no image for 3 s')),
    (Reading(worker_status(), incompatible=['node /a']), Reading(),
     (ERROR, 'publishers with incompatible QoS: 1')),
    # The worst first.
    (Reading(worker_status(30, 20, dropped={'bad_message': 10}), incompatible=['node /a']),
     BEFORE, (ERROR, 'no message is an image that can be read: see the log; publishers with '
                     'incompatible QoS: 1')),
])
def test_input(now: Reading, before: Reading, expected: tuple[bytes, str]) -> None:
    assert told(input_status(now, before)) == expected


def test_the_values_of_input() -> None:
    now = Reading(worker_status(30, 24, dropped={'superseded': 6}), incompatible=['node /a', 'b'])
    status = input_status(now, BEFORE)
    assert value(status, 'rate (Hz)') == '10.0'
    assert value(status, 'images received') == '30'
    assert value(status, 'images labelled') == '24'
    assert value(status, 'dropped, superseded') == '6'
    assert value(status, 'incompatible publishers') == 'node /a; b'


@pytest.mark.parametrize(('now', 'expected'), [
    (worker_status(), (OK, 'no frame labelled yet')),
    (worker_status(30, 30, latency_ms={'p50': 12.4, 'p95': 20.0, 'max': 31.5}),
     (OK, '12 ms from image to labels')),
    (worker_status(30, 29, dropped={'fault': 1}), (WARN, 'frames that failed: 1, see the log')),
    (worker_status(30, 20, dropped={'fault': 10}), (ERROR, 'frames that failed: 10, see the log')),
    (worker_status(computing='float32, not compiled'), (OK, 'no frame labelled yet')),
    (worker_status(computing='float32, not compiled, as that failed'),
     (WARN, 'labels are computed in float32, not compiled, as that failed: see the log')),
])
def test_inference(now: dict[str, Any], expected: tuple[bytes, str]) -> None:
    assert told(inference_status(Reading(now), BEFORE, {})) == expected


def test_the_values_of_inference() -> None:
    now = worker_status(
        30, 30, latency_ms={'p50': 12.4, 'p95': 20.0, 'max': 31.5}, engine_ms={'p50': 9.5},
        computing='bfloat16, compiled for 64 x 48 px')
    status = inference_status(Reading(now), BEFORE, resources())
    assert value(status, 'latency p95 (ms)') == '20.0'
    assert value(status, 'latency max (ms)') == '31.5'
    assert value(status, 'engine p50 (ms)') == '9.5'
    assert value(status, 'device')
    assert value(status, 'computing') == 'bfloat16, compiled for 64 x 48 px'
    assert float(value(status, 'memory (MB)')) > 50  # torch alone is more


@pytest.mark.parametrize(('changes', 'expected'), [
    ({}, (OK, 'adapt')),
    ({'phase': 'frozen', 'why': 'better on 4 of 5 frames'},
     (OK, 'frozen: better on 4 of 5 frames')),
    ({'starved': 'it stands still'}, (WARN, 'it stands still')),
    ({'adaptation_faults': 2}, (WARN, 'steps that failed: 2, see the log')),
    ({'abandoned': True, 'why': 'adaptation abandoned: no memory'},
     (WARN, 'adaptation abandoned: no memory')),
    ({'abandoned': False, 'drift': ''}, (OK, 'adapt')),
    ({'drift': 'flicker 0.30, at first 0.10, for 100 frames'},
     (WARN, 'labels have become worse: flicker 0.30, at first 0.10, for 100 frames')),
])
def test_adaptation(changes: dict[str, Any], expected: tuple[bytes, str]) -> None:
    assert told(adaptation_status(Reading(worker_status(**changes)), BEFORE)) == expected


def test_the_values_of_adaptation() -> None:
    status = adaptation_status(Reading(worker_status(promoted=False, why='no gain')), BEFORE)
    assert value(status, 'objects') == '3'
    assert value(status, 'adaptation steps') == '4'
    assert value(status, 'loss, contrast') == '0.25'
    assert (value(status, 'promoted'), value(status, 'why')) == ('False', 'no gain')


def test_a_node_that_is_not_active_is_well() -> None:
    assert [told(status) for status in inactive()] == 3 * [(OK, 'not active')]


def test_over_dds_each_second_active_or_not(context: Context) -> None:
    node = rclpy.create_node('ditta', context=context, namespace='/front')
    viewer = rclpy.create_node('viewer', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    executor.add_node(viewer)
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    viewer.create_publisher(Image, '/front/image', best_effort)
    arrays: list[DiagnosticArray] = []
    viewer.create_subscription(DiagnosticArray, '/diagnostics', arrays.append, 1)
    active: list[Rig] = []
    Diagnostics(
        node, lambda: active[0].worker.status() if active else None,
        lambda: qos.incompatible_publishers(node, '/front/image', qos.IMAGE_OUT))

    def await_input(level: bytes, message: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not any(told(array.status[0]) == (level, message) for array in arrays):
            assert time.monotonic() < end_s, arrays
            executor.spin_once(timeout_sec=0.1)

    try:
        await_input(OK, 'not active')
        active.append(Rig())
        await_input(ERROR, 'publishers with incompatible QoS: 1')
        names = [status.name for status in arrays[-1].status]
        assert names == [f'front/ditta: {task}' for task in ('input', 'inference', 'adaptation')]
        assert {status.hardware_id for status in arrays[-1].status} == {'/front/image'}
        assert 'node /viewer publishes /front/image' in value(
            arrays[-1].status[0], 'incompatible publishers')
        assert arrays[-1].header.stamp.sec > 0
    finally:
        executor.shutdown()
        node.destroy_node()
        viewer.destroy_node()
