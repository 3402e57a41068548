"""Faults put into the real node while a camera streams, over DDS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ditta_ros.soak.fault import Fault

NAMES = (
    'the tracker raises', 'out of memory in the tracker', 'out of memory in learning',
    'out of memory in labelling', 'the loss is NaN', 'the adaptation dies of a mistake',
    'a frame takes ten periods', 'the camera stops for a minute', 'stamps go back',
    'the disk is full while saving')
LOG_TAIL_CHARACTERS = 2000


def inject(
    folder: Path, tick: Callable[[str], None], names: Sequence[str] = NAMES,
) -> list[Fault]:
    """Return what came of each fault that is named; logs go into ``folder``.

    ``tick`` is told of each fault that is over.  Raises RuntimeError where the node did not live
    through one.
    """
    # Here, as it looks for ROS, which no other part of the soak needs.
    from ditta_ros.ros.dds import process_environment
    # A domain of its own, away from other nodes; up to 101 is free on every platform.
    environment = {**process_environment(), 'ROS_DOMAIN_ID': str(1 + os.getpid() % 100)}
    faults, log = [], folder / 'rig.log'
    with log.open('wb') as errors, subprocess.Popen(
            [sys.executable, '-m', 'ditta_ros.ros.fault_rig', str(folder), *names], text=True,
            stdout=subprocess.PIPE, stderr=errors, env=environment) as process:
        assert process.stdout is not None  # it is a pipe
        for line in process.stdout:
            faults.append(Fault(**json.loads(line)))
            tick(f'{faults[-1].name}: {faults[-1].labelled} of {faults[-1].sent} labelled')
    if process.returncode:
        raise RuntimeError(
            f'the faults must all be lived through, got {len(faults)} of them: '
            f'{log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]}')
    return faults
