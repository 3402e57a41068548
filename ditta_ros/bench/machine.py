"""What the figures were measured on, without names of people or hosts."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch

LIBRARIES = ('ditta_ros', 'torch', 'transformers', 'sam2', 'numpy')


def machine(device: torch.device) -> dict[str, Any]:
    """Return CPU, cores, memory and, where it is measured, the GPU."""
    found: dict[str, Any] = {
        'device': device.type,
        'cpu': _cpu_model(),
        'cores': psutil.cpu_count(logical=False) or psutil.cpu_count(),
        'threads': torch.get_num_threads(),
        'ram_gb': round(psutil.virtual_memory().total / 1e9, 1),
        'system': f'{platform.system()} {platform.machine()}',
    }
    if device.type == 'cuda':
        gpu = torch.cuda.get_device_properties(device)
        found |= {
            'gpu': gpu.name,
            'gpu_memory_gb': round(gpu.total_memory / 1e9, 1),
            'gpu_capability': f'{gpu.major}.{gpu.minor}',
        }
    return found


def versions() -> dict[str, str]:
    """Return the versions of Python, CUDA and the libraries."""
    found = {'python': platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = 'not installed'
    return found | {'cuda': torch.version.cuda or 'none'}


def _cpu_model() -> str:
    """Return the name of the CPU: x86 has it in cpuinfo, others often not."""
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(':')
            if key.strip() == 'model name':
                return value.strip()
    return platform.processor() or platform.machine()
