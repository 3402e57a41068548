"""The GPU, and the build of torch against its driver."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ditta_ros.doctor.finding import Finding, note, ok, problem

TIMEOUT_S = 30.0
ANOTHER_TORCH = 'pip install --force-reinstall torch torchvision --index-url'
WHEELS = 'https://download.pytorch.org/whl'
SMALL_MB = 4096  # SegFormer-B2 and SAM 2.1 small with a warm-up take more
JETSON = Path('/etc/nv_tegra_release')


@dataclass(frozen=True)
class Driver:
    """What nvidia-smi says."""

    version: str  # of the driver
    cuda: str  # the newest CUDA that it runs: 12.4
    gpus: tuple[str, ...]  # name, total and free memory of each


@dataclass(frozen=True)
class TorchBuild:
    """What torch says of itself and of the GPU."""

    version: str
    cuda: str  # that it was built for; empty: for the CPU
    available: bool  # a GPU can be used
    gpu: str = ''  # its name
    capability: str = ''  # sm_90
    built_for: tuple[str, ...] = ()  # sm_80, sm_90, compute_90
    free_mb: int = 0
    total_mb: int = 0


def read_driver(environ: Mapping[str, str]) -> Driver | str:
    """Ask nvidia-smi; what it complained of where it cannot say; empty where it is missing."""
    program = shutil.which('nvidia-smi', path=environ.get('PATH', ''))
    if program is None:
        return ''
    answers = []
    for query in ([], ['--query-gpu=driver_version,name,memory.total,memory.free',
                       '--format=csv,noheader']):
        try:
            done = subprocess.run(
                [program, *query], env=dict(environ), text=True, capture_output=True,
                check=False, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f'nvidia-smi: {error}'
        if done.returncode:
            return ' '.join((done.stdout + done.stderr).split())
        answers.append(done.stdout)
    overview, table = answers
    rows = [[cell.strip() for cell in row.split(',')] for row in table.strip().splitlines()]
    cuda = re.search(r'CUDA[^:|]*Version: *([\d.]+)', overview)
    gpus = tuple(f'{row[1]}, {row[3]} free of {row[2]}' for row in rows if len(row) == 4)
    return Driver(rows[0][0] if rows else 'unknown', cuda[1] if cuda else '', gpus)


def read_torch() -> TorchBuild | str:
    """Import torch and ask it; what was wrong where it cannot be imported."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of its own is missing
        return ' '.join(str(error).split())
    version, cuda = torch.__version__, torch.version.cuda or ''
    if not torch.cuda.is_available():
        return TorchBuild(version, cuda, available=False)
    gpu = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    return TorchBuild(
        version, cuda, True, gpu.name, f'sm_{gpu.major}{gpu.minor}',
        tuple(torch.cuda.get_arch_list()), free // 2 ** 20, total // 2 ** 20)


def torch_and_driver(
    build: TorchBuild | str, driver: Driver | str, jetson: bool = JETSON.exists(),
) -> Finding:
    """Judge whether ``build`` can use the GPU that ``driver`` shows; both as they were read."""
    name = 'torch'
    if isinstance(build, str):
        return problem(name, f'cannot be imported: {build}', 'pip install torch')
    seen = f'{build.version}, {f"for CUDA {build.cuda}" if build.cuda else "for the CPU alone"}'
    if build.available:
        return _fits(name, seen, build)
    if isinstance(driver, Driver):
        return _cannot_use(name, seen, build, driver)
    if driver:
        return problem(name, f'{seen}; {driver}', 'sudo ubuntu-drivers install && sudo reboot')
    if jetson:
        return problem(
            name, f'{seen}; this is a Jetson, whose GPU it cannot use',
            'install the torch that NVIDIA builds for its JetPack: https://docs.nvidia.com/'
            'deeplearning/frameworks/install-pytorch-jetson-platform/')
    return ok(name, f'{seen}; no NVIDIA driver')


def gpu(build: TorchBuild | str, driver: Driver | str) -> Finding:
    """Name the GPU, with its memory."""
    if isinstance(build, TorchBuild) and build.available:
        seen = f'{build.gpu}, {build.free_mb} MB free of {build.total_mb} MB'
        return ok('GPU', seen) if build.free_mb >= SMALL_MB else note(
            'GPU', f'{seen}: a warm-up may not fit',
            'set tracker.buffer_device and adaptation.features_device to cpu')
    if isinstance(driver, Driver) and driver.gpus:
        return note('GPU', f'{"; ".join(driver.gpus)}: not used, see torch')
    return note('GPU', 'none: both networks run on the CPU')


def _fits(name: str, seen: str, build: TorchBuild) -> Finding:
    """Judge whether ``build`` holds code for the GPU: its own generation's, or an older PTX."""
    generation = build.capability[:-1]  # sm_8 of sm_86: code of one generation runs on its later
    own = [arch for arch in build.built_for if arch.startswith(generation)
           and arch <= build.capability and len(arch) == len(build.capability)]
    older = [arch for arch in build.built_for if arch.startswith('compute_')
             and int(arch[8:].rstrip('af')) <= int(build.capability[3:])]
    if own or older or not build.built_for:
        return ok(name, seen)
    return problem(
        name, f'{seen}, without code for {build.gpu} ({build.capability}): it has '
        f'{", ".join(build.built_for)}', f'{ANOTHER_TORCH} {WHEELS}/cu126')


def _cannot_use(name: str, seen: str, build: TorchBuild, driver: Driver) -> Finding:
    """Say why ``build`` cannot use a GPU though there is a driver."""
    seen += f'; driver {driver.version} for CUDA {driver.cuda or "unknown"}'
    if not driver.gpus:
        return problem(name, f'{seen} sees no GPU', 'docker run --gpus all ...')
    another = f'{ANOTHER_TORCH} {_wheels_for(driver)}'
    if not build.cuda:
        return problem(name, f'{seen}: the GPU lies idle', another)
    if _number(build.cuda) > _number(driver.cuda):
        return problem(name, f'{seen}, which is too old for it', another)
    return problem(
        name, f'{seen}; torch cannot use the GPU all the same',
        'python3 -c "import torch; torch.cuda.init()"  # says why')


def _wheels_for(driver: Driver) -> str:
    """Return the index of a build that ``driver`` runs: one of those that torch offers."""
    offered = ((13, 0), (12, 8), (12, 6), (11, 8))
    major, minor = next(
        (each for each in offered if each <= _number(driver.cuda)), offered[-1])
    return f'{WHEELS}/cu{major}{minor}'


def _number(version: str) -> tuple[int, int]:
    """Return 12.4 as (12, 4); nothing as (0, 0)."""
    major, _, minor = version.partition('.')
    return int(major or 0), int(minor.partition('.')[0] or 0)
