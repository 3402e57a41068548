"""Faults in the real node, over DDS: labels go on, and the cause is told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

import pytest

from ditta_ros.ros import fault_rig
from ditta_ros.ros.fault_rig import SCENARIOS, Scenario, suffer
from ditta_ros.soak.fault import Fault

# Shown one by one all of them must be labelled; the soak sends more, of which one in a hundred may
# be lost.
SHOWN_FRAMES = 30
AT_A_RATE_FRAMES = 9  # times ten
AT_A_TIME = 2  # nodes: while one loads its models, the other one labels


class Suffered(NamedTuple):
    """A scenario that runs, or has run, in a folder of its own."""

    folder: Path
    fault: Future[Fault]


@pytest.fixture(scope='module')
def suffered(
    request: pytest.FixtureRequest, domain_id: int, tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Suffered]]:
    """Begin the scenarios of the tests that were chosen, each in its domain.

    Those in which a camera keeps its own time come last, each alone.
    """
    chosen = [item.callspec.params['scenario'] for item in request.session.items
              if item.path == request.path]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        begun = {}
        for index, scenario in enumerate(sorted(chosen, key=at_a_rate), start=1):
            folder = tmp_path_factory.mktemp(scenario.injection)
            domain = 1 + (domain_id + index) % 100  # up to 101 is free on every platform
            others = [each.fault for each in begun.values()] if at_a_rate(scenario) else []
            begun[scenario.name] = Suffered(folder, pool.submit(
                suffer_after, others, scenario, domain, folder))
        yield begun
        pool.shutdown(cancel_futures=True)  # of those whose tests are not run any more


def suffer_after(
    others: list[Future[Fault]], scenario: Scenario, domain_id: int, folder: Path,
) -> Fault:
    wait(others)
    return suffer(scenario, domain_id, folder, frames(scenario))


def at_a_rate(scenario: Scenario) -> bool:
    return scenario.camera is fault_rig.at_a_rate


def frames(scenario: Scenario) -> int:
    return AT_A_RATE_FRAMES if at_a_rate(scenario) else SHOWN_FRAMES


@pytest.mark.parametrize('scenario', SCENARIOS, ids=lambda scenario: scenario.name)
def test_labels_go_on_and_the_cause_is_told(
    scenario: Scenario, suffered: dict[str, Suffered],
) -> None:
    folder, fault = suffered[scenario.name].folder, suffered[scenario.name].fault.result()
    assert fault.cause
    if not at_a_rate(scenario):
        # Some do not reach the node, before both sides have matched.
        assert fault.labelled == fault.sent >= 0.8 * SHOWN_FRAMES
    else:
        assert fault.sent >= 90
        assert fault.labelled >= fault.sent / 2  # of the others, the slow one cost ten
    assert not list(folder.glob('*.safetensors'))
    assert not list(folder.glob('.*.part'))
