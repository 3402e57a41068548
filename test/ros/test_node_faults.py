"""Faults in the real node, over DDS: labels go on, and the cause is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros.ros import fault_rig
from ditta_ros.ros.fault_rig import SCENARIOS, Scenario, suffer

# Shown one by one all of them must be labelled; the soak sends more, of which one in a hundred may
# be lost.
SHOWN_FRAMES = 30
AT_A_RATE_FRAMES = 9  # times ten


@pytest.mark.parametrize('scenario', SCENARIOS, ids=lambda scenario: scenario.name)
def test_labels_go_on_and_the_cause_is_told(
    scenario: Scenario, domain_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_a_rate = scenario.camera is fault_rig.at_a_rate
    monkeypatch.setattr(
        fault_rig, 'FRAMES', AT_A_RATE_FRAMES if at_a_rate else SHOWN_FRAMES)
    fault = suffer(scenario, domain_id, tmp_path)
    assert fault.cause
    if not at_a_rate:
        # Some do not reach the node, before both sides have matched.
        assert fault.labelled == fault.sent >= 0.8 * SHOWN_FRAMES
    else:
        assert fault.sent >= 90
        assert fault.labelled >= fault.sent / 2  # of the others, the slow one cost ten
    assert not list(tmp_path.glob('*.safetensors'))
    assert not list(tmp_path.glob('.*.part'))
