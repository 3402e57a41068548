"""The soak's faults run in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros.ros.fault_rig import SCENARIOS
from ditta_ros.ros.faulty_node import INJECTIONS
from ditta_ros.soak.fault import Fault
from ditta_ros.soak.faults import NAMES, inject

pytestmark = pytest.mark.dds


def test_every_fault_is_known_to_the_soak() -> None:
    assert tuple(scenario.name for scenario in SCENARIOS) == NAMES
    assert {scenario.injection for scenario in SCENARIOS} == set(INJECTIONS)


def test_a_fault_of_the_camera_is_suffered(tmp_path: Path) -> None:
    told: list[str] = []
    fault, = inject(tmp_path, told.append, ['stamps go back'])
    assert fault == Fault(
        'stamps go back', fault.sent, fault.sent, 'warm up restarts: 1')
    assert told == [f'stamps go back: {fault.sent} of {fault.sent} labelled']


def test_what_is_not_lived_through_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="must be one of the tracker raises, .* got 'a flood'"):
        inject(tmp_path, lambda _: None, ['a flood'])
