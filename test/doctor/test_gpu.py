"""The GPU: this machine's, and those that a made-up nvidia-smi and torch speak of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ditta_ros.doctor import gpu
from ditta_ros.doctor.finding import State
from ditta_ros.doctor.gpu import Driver, TorchBuild

CARD = ('NVIDIA RTX A2000, 5000 MiB free of 6138 MiB',)
NEW, OLD = Driver('580.65.06', '13.0', CARD), Driver('535.183.01', '12.2', CARD)
CPU_BUILD = TorchBuild('2.14.1+cpu', '', available=False)
CUDA_BUILD = TorchBuild('2.14.1', '13.0', available=False)
SMI = """#!/bin/sh
if [ $# = 0 ]; then
  echo '| NVIDIA-SMI 535.183.01   Driver Version: 535.183.01   CUDA Version: 12.2     |'
else
  echo '535.183.01, NVIDIA RTX A2000, 6138 MiB, 5000 MiB'
  echo '535.183.01, NVIDIA T400, 2048 MiB, 1900 MiB'
fi
"""


def in_path(folder: Path, script: str) -> dict[str, str]:
    """Put an nvidia-smi into ``folder``; return the environment that finds it."""
    program = folder / 'nvidia-smi'
    program.write_text(script)
    program.chmod(0o755)
    return {'PATH': f'{folder}:/usr/bin:/bin'}


def test_what_nvidia_smi_says_is_read(tmp_path: Path) -> None:
    assert gpu.read_driver(in_path(tmp_path, SMI)) == Driver('535.183.01', '12.2', (
        'NVIDIA RTX A2000, 5000 MiB free of 6138 MiB', 'NVIDIA T400, 1900 MiB free of 2048 MiB'))


def test_an_nvidia_smi_that_is_missing_or_fails(tmp_path: Path) -> None:
    assert gpu.read_driver({'PATH': str(tmp_path)}) == ''
    fails = in_path(tmp_path, '#!/bin/sh\necho "Driver/library version mismatch"\nexit 18\n')
    assert gpu.read_driver(fails) == 'Driver/library version mismatch'
    found = gpu.torch_and_driver(CUDA_BUILD, gpu.read_driver(fails), jetson=False)
    assert found.state is State.PROBLEM and 'version mismatch' in found.seen


def test_this_torch_is_read() -> None:
    build = gpu.read_torch()
    assert isinstance(build, TorchBuild)
    assert (build.version, build.cuda, build.available) == (
        torch.__version__, torch.version.cuda or '', torch.cuda.is_available())


def test_a_torch_that_cannot_be_imported() -> None:
    found = gpu.torch_and_driver("No module named 'torch'", NEW, jetson=False)
    assert (found.state, found.remedy) == (State.PROBLEM, 'pip install torch')


@pytest.mark.parametrize(('build', 'driver', 'seen', 'remedy'), [
    (CPU_BUILD, NEW, 'the GPU lies idle', 'whl/cu130'),
    (CPU_BUILD, OLD, 'the GPU lies idle', 'whl/cu118'),
    (CUDA_BUILD, OLD, 'for CUDA 12.2, which is too old for it', 'whl/cu118'),
    (CUDA_BUILD, Driver('560.1', '12.6', CARD), 'too old for it', 'whl/cu126'),
    (CUDA_BUILD, NEW, 'cannot use the GPU all the same', 'torch.cuda.init()'),
    (CUDA_BUILD, Driver('unknown', '', ()), 'sees no GPU', 'docker run --gpus all'),
])
def test_a_build_that_does_not_fit_its_driver(
        build: TorchBuild, driver: Driver, seen: str, remedy: str) -> None:
    found = gpu.torch_and_driver(build, driver, jetson=False)
    assert found.state is State.PROBLEM
    assert seen in found.seen and remedy in found.remedy


def test_a_machine_without_a_gpu_is_no_problem_but_a_jetson_is_one() -> None:
    assert gpu.torch_and_driver(CPU_BUILD, '', jetson=False).state is State.OK
    assert gpu.torch_and_driver(CPU_BUILD, '', jetson=True).state is State.PROBLEM
    assert 'both networks run on the CPU' in gpu.gpu(CPU_BUILD, '').seen


@pytest.mark.parametrize(('capability', 'built_for', 'fits'), [
    ('sm_86', ('sm_80', 'sm_90'), True),  # code of a generation runs on its later members
    ('sm_80', ('sm_86',), False),
    ('sm_61', ('sm_75', 'sm_80', 'sm_90', 'sm_120'), False),
    ('sm_120', ('sm_75', 'sm_90'), False),
    ('sm_120', ('sm_75', 'sm_120'), True),
    ('sm_120', ('sm_90', 'compute_90'), True),  # compiled as it is loaded
    ('sm_61', ('sm_75', 'compute_90'), False),
])
def test_a_build_without_code_for_the_gpu(
        capability: str, built_for: tuple[str, ...], fits: bool) -> None:
    build = TorchBuild('2.14.1', '13.0', True, 'a GPU', capability, built_for, 8000, 8192)
    found = gpu.torch_and_driver(build, NEW, jetson=False)
    assert found.state is (State.OK if fits else State.PROBLEM)
    assert fits or capability in found.seen


def test_little_memory_is_noted() -> None:
    def found(free_mb: int) -> State:
        build = TorchBuild('2', '13.0', True, 'a GPU', 'sm_86', (), free_mb, 8192)
        return gpu.gpu(build, NEW).state

    assert (found(4095), found(4096)) == (State.NOTE, State.OK)
