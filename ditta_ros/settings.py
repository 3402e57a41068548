"""Every parameter of ditta_ros: name, default, unit, range and meaning, each stated once.

ROS parameters, ``config/ditta.yaml`` and command-line flags are derived from this tree: the ROS
name of ``Settings.adaptation.passes`` is ``adaptation.passes``.  Values are checked when a
dataclass is made, so a ``Settings`` that exists is valid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from ditta_ros.learning_settings import AdaptationSettings, TargetSettings
from ditta_ros.rules import Checked, Rule, SettingError, setting

SMALLEST_MAX_SIDE_PX = 64


# Both networks may come from the hub, each with parameters of its own.
def _revision() -> Any:
    return setting('', 'branch, tag or commit of a Hugging Face id; empty: its main branch')


def _offline() -> Any:
    return setting(
        True, 'take a Hugging Face id from the cache alone (ros2 run ditta_ros fetch_models); '
        'false: configure may download it')


def _cache_dir() -> Any:
    return setting('', "folder of what was downloaded; empty: huggingface_hub's own (HF_HOME)")


@dataclass(frozen=True)
class SegmenterSettings(Checked):
    """The image segmenter (ISS)."""

    GROUP = 'segmenter'
    model: str = setting(
        '', 'SegFormer as a transformers directory or a Hugging Face id (nvidia/segformer-b0-'
        'finetuned-ade-512-512); empty: the embedded demo model')
    revision: str = _revision()
    offline: bool = _offline()
    cache_dir: str = _cache_dir()
    input_size: str = setting(
        'camera', "what the network sees: frames at their own size, or resized as the model's "
        'preprocessor_config.json says, as transformers does',
        choices=('camera', 'model'))
    device: str = setting(
        'auto', 'where networks run; auto: a GPU, else the CPU', choices=('auto', 'cpu', 'cuda'))
    dtype: str = setting(
        'float32', 'precision of what labels after a warm-up, by autocast; what teaches, learns '
        'or decides is in float32', choices=('float32', 'bfloat16', 'float16'))
    compile: str = setting(
        'off', 'how torch compiles what labels after a warm-up, in minutes, at configure; '
        'reduce-overhead: CUDA graphs, too', choices=('off', 'default', 'reduce-overhead'))
    compile_width_px: int = setting(
        0, "width of the camera's images, to compile for no others", 'px', low=0)
    compile_height_px: int = setting(0, "height of the camera's images", 'px', low=0)
    max_side_px: int = setting(
        0, 'larger frames are shrunk to this longer side for both networks, and their labels '
        'enlarged again; 0: every frame at its own size', 'px', low=0, high=16384)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.max_side_px < SMALLEST_MAX_SIDE_PX:
            raise SettingError(
                f'segmenter.max_side_px must be 0 or >= {SMALLEST_MAX_SIDE_PX} px, got '
                f'{self.max_side_px}: too little would be left to see')
        width, height = self.compile_width_px, self.compile_height_px
        if self.compile != 'off' and min(width, height) < SMALLEST_MAX_SIDE_PX:
            raise SettingError(
                'segmenter.compile needs the size of the images, >= 64 px a side, got '
                f'{width} x {height}: set segmenter.compile_width_px and compile_height_px')


@dataclass(frozen=True)
class TrackerSettings(Checked):
    """The mask tracker (SAM 2)."""

    GROUP = 'tracker'
    model: str = setting(
        '', 'SAM 2 as a Hugging Face id (facebook/sam2.1-hiera-tiny), a file of Meta by its own '
        'name (sam2.1_hiera_tiny.pt) or a directory with one; empty: tracker.config')
    config: str = setting(
        '', "SAM 2 model yaml, a file or the name of one of sam2's own (sam2.1_hiera_t.yaml); "
        'empty: the embedded demo model')
    checkpoint: str = setting('', 'SAM 2 weights (.pt or .safetensors) that fit tracker.config')
    revision: str = _revision()
    offline: bool = _offline()
    cache_dir: str = _cache_dir()
    image_size_px: int = setting(
        0, "side of the square image that SAM 2 sees, a multiple of 32; 0: the configuration's",
        'px', low=0, high=4096)
    max_objects: int = setting(
        100, 'objects prompted in one warm-up at most', 'objects', low=1, high=1000)
    backward_buffer_frames: int = setting(
        32, 'past frames through which a new object is tracked back', 'frames', low=0, high=10000)
    buffer_device: str = setting(
        'network', "where the past frames' features wait: with the network, or in CPU memory",
        choices=('network', 'cpu'))
    buffer_dtype: str = setting(
        'float32', "how the past frames' features are kept; in half precision backward masks may "
        'differ by pixels', choices=('float32', 'float16', 'bfloat16'))


@dataclass(frozen=True)
class WarmUpSettings(Checked):
    """How long the stream teaches."""

    GROUP = 'warm_up'
    unit: str = setting(
        'frames', 'what warm_up.amount counts; percent needs warm_up.stream_length_frames',
        choices=('percent', 'frames', 'seconds'))
    amount: float = setting(
        30.0, 'length of the warm-up; 0: no adaptation, plain SegFormer', low=0.0, high=1e6)
    stream_length_frames: int = setting(
        0, "the stream's length where it is known (a bag), for percent; 0: unknown", 'frames',
        low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit == 'percent' and self.amount > 100:
            raise SettingError(
                f'warm_up.amount must be <= 100 where warm_up.unit is percent, got {self.amount}')
        if self.unit == 'percent' and self.amount > 0 and self.stream_length_frames == 0:
            raise SettingError(
                'warm_up.unit percent needs a known stream length, got '
                'warm_up.stream_length_frames 0: set it, or count in frames or seconds')


@dataclass(frozen=True)
class CheckpointSettings(Checked):
    """The file that an adapted model is saved in."""

    GROUP = 'checkpoint'
    path: str = setting(
        '', 'file (.safetensors) that the services save and load use; empty: none', live=True)
    load_at_start: bool = setting(
        False, 'configure loads checkpoint.path and skips the warm-up; a file that is not there '
        'yet is no fault')


@dataclass(frozen=True)
class Settings(Checked):
    """The whole tree; see each group."""

    segmenter: SegmenterSettings = SegmenterSettings()
    tracker: TrackerSettings = TrackerSettings()
    warm_up: WarmUpSettings = WarmUpSettings()
    targets: TargetSettings = TargetSettings()
    adaptation: AdaptationSettings = AdaptationSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    tau: float = setting(
        0.8, 'reliability from which a pixel may be prompted and needs no fusion (Eq. 3)',
        low=0.0, high=1.0, live=True)
    overlay_alpha: float = setting(
        0.5, 'opacity of the class colours in segmentation/overlay', low=0.0, high=1.0, live=True)
    memory_budget_mb: float = setting(
        0.0, 'what a warm-up may take beside the networks: where it would take more, features '
        'are kept in half precision, then the backward buffer is made shorter, then objects are '
        'fewer, then the warm-up is shorter; 0: no limit', 'MB', low=0.0, high=1e6)


@dataclass(frozen=True)
class Parameter:
    """One leaf of the tree, as ROS sees it."""

    name: str
    default: Any
    rule: Rule


def parameters() -> Iterator[Parameter]:
    """Yield every parameter with its dotted name, in the order of the tree."""
    for item in dataclasses.fields(Settings):
        if 'rule' in item.metadata:
            yield Parameter(item.name, item.default, item.metadata['rule'])
            continue
        for leaf in dataclasses.fields(type(item.default)):  # type: ignore[arg-type]
            yield Parameter(f'{item.name}.{leaf.name}', leaf.default, leaf.metadata['rule'])


def from_flat(values: Mapping[str, Any]) -> Settings:
    """Make ``Settings`` from dotted names; names left out keep their default.

    Raises SettingError for an unknown name or a value that breaks its rule.
    """
    known = {parameter.name for parameter in parameters()}
    unknown = sorted(set(values) - known)
    if unknown:
        raise SettingError(f'no parameter is called {unknown[0]!r}; see config/ditta.yaml')
    changed: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        group, _, leaf = name.rpartition('.')
        if group:
            groups.setdefault(group, {})[leaf] = value
        else:
            changed[leaf] = value
    for group, leaves in groups.items():
        changed[group] = dataclasses.replace(getattr(Settings(), group), **leaves)
    return Settings(**changed)


def to_flat(settings: Settings) -> dict[str, Any]:
    """Return every parameter's dotted name and value."""
    return {parameter.name: attrgetter(parameter.name)(settings) for parameter in parameters()}
