"""The Python libraries, NumPy against cv_bridge, and ROS packages that add something."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from ditta_ros.doctor.children import ask
from ditta_ros.doctor.finding import Finding, note, ok, problem

# Module -> distribution on PyPI.
LIBRARIES = {
    'numpy': 'numpy', 'cv2': 'opencv-python-headless', 'torch': 'torch',
    'transformers': 'transformers', 'sam2': 'sam2', 'safetensors': 'safetensors',
    'hydra': 'hydra-core', 'omegaconf': 'omegaconf', 'huggingface_hub': 'huggingface-hub',
    'yaml': 'PyYAML', 'psutil': 'psutil', 'rosbags': 'rosbags',
}
# SAM 2's CUDA extension is not used, and needs a compiler; isolated, it would build with another
# torch.
SAM2_FLAGS = 'SAM2_BUILD_CUDA=0 pip install --no-build-isolation'
# ROS package -> what there is with it.
OPTIONAL = {
    'vision_msgs': 'segmentation/label_info',
    'sensor_msgs_py': 'reading segmentation/points in Python',
    'cv_bridge': 'unusual image encodings',
    'launch_ros': 'ditta.launch.py and replay.launch.py',
}
# cv_bridge swallows the fault of its compiled part, and breaks when the first image comes.
LOAD_CV_BRIDGE = """
import numpy
print(numpy.__version__, flush=True)
import cv_bridge
from cv_bridge.boost import cv_bridge_boost
"""
REBUILD = (
    'git clone https://github.com/ros-perception/vision_opencv -b {distro} src/vision_opencv && '
    'colcon build --packages-select cv_bridge')


def libraries() -> Finding:
    """Look for the libraries that the engine imports."""
    missing = [pypi for module, pypi in LIBRARIES.items() if find_spec(module) is None]
    if missing:
        return problem(
            'libraries', f'not installed: {", ".join(missing)}',
            f'{SAM2_FLAGS if "sam2" in missing else "pip install"} {" ".join(missing)}')
    return ok('libraries', ', '.join(
        f'{pypi} {_version(pypi)}' for pypi in ('numpy', 'transformers', 'sam2', 'ditta_ros')))


def numpy_and_cv_bridge(environ: Mapping[str, str]) -> Finding:
    """Load the compiled part of cv_bridge, in a process of its own that it may end."""
    name = 'numpy, cv_bridge'
    answer = ask('-c', LOAD_CV_BRIDGE, environ=environ)
    numpy, *_ = answer.out.split() or ['']
    if not numpy:
        return problem(name, f'numpy cannot be imported: {answer.why}', 'pip install numpy')
    if answer.code == 0:
        return ok(name, f'numpy {numpy}, which cv_bridge fits')
    if "No module named 'cv_bridge'" in answer.err:
        return ok(name, f'numpy {numpy}; no cv_bridge')
    distro = environ.get('ROS_DISTRO', 'rolling')
    abi = 'compiled using NumPy 1' in answer.err or '_ARRAY_API' in answer.err
    seen = 'and cv_bridge is built for numpy 1' if abi or answer.code < 0 else (
        f'and cv_bridge cannot be loaded: {answer.why}')
    return problem(name, f'numpy {numpy}, {seen}', (
        REBUILD.format(distro=distro) if abi or answer.code < 0
        else f'sudo apt install --reinstall ros-{distro}-cv-bridge'))


def optional_packages(environ: Mapping[str, str]) -> list[Finding]:
    """Look for the ROS packages that add something, one finding for each that is missing."""
    missing = [package for package in OPTIONAL if find_spec(package) is None]
    present = [package for package in OPTIONAL if package not in missing]
    found = [ok('ROS packages', ', '.join(present))] if present else []
    distro = environ.get('ROS_DISTRO', '')
    return found + [note(
        package, f'not installed: without it no {OPTIONAL[package]}',
        f'sudo apt install ros-{distro}-{package.replace("_", "-")}' if distro
        else 'comes with a ROS 2 distribution alone') for package in missing]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return 'not installed'  # as ditta_ros in a source tree
