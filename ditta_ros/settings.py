"""Every parameter of ditta_ros: name, default, unit, range and meaning, each stated once.

ROS parameters, ``config/ditta.yaml`` and command-line flags are derived from this tree: the ROS
name of ``Settings.adaptation.passes`` is ``adaptation.passes``.  Values are checked when a
dataclass is made, so a ``Settings`` that exists is valid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SMALLEST_MAX_SIDE_PX = 64


class SettingError(ValueError):
    """A parameter's value breaks its rule; the message names the parameter, rule and value."""


@dataclass(frozen=True)
class Rule:
    """What a parameter means and which values it takes (kept in the field's metadata)."""

    about: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False  # may change while the node is active; otherwise read at configure

    def check(self, name: str, value: Any, kind: type) -> Any:
        """Return ``value`` as ``kind``; raise SettingError with the rule where it does not fit."""
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise SettingError(f'{name} must be {kind.__name__}, got {value!r}')
        if self.choices and value not in self.choices:
            raise SettingError(f'{name} must be one of {", ".join(self.choices)}, got {value!r}')
        unit = f' {self.unit}' if self.unit else ''
        # "not value >= low" rather than "value < low": NaN must be refused too.
        number: Any = value
        if self.low is not None and not number >= self.low:
            raise SettingError(f'{name} must be >= {self.low:g}{unit}, got {value!r}')
        if self.high is not None and not number <= self.high:
            raise SettingError(f'{name} must be <= {self.high:g}{unit}, got {value!r}')
        return value


def setting(default: Any, about: str, unit: str = '', **rule: Any) -> Any:
    """Make a dataclass field that carries its :class:`Rule`."""
    return field(default=default, metadata={'rule': Rule(about, unit, **rule)})


class _Checked:
    """Checks every field that carries a rule when the dataclass is made."""

    def __post_init__(self) -> None:
        group = getattr(type(self), 'GROUP', '')
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            rule = item.metadata.get('rule')
            if rule is not None:
                name = f'{group}.{item.name}' if group else item.name
                value = rule.check(name, getattr(self, item.name), type(item.default))
                object.__setattr__(self, item.name, value)


@dataclass(frozen=True)
class SegmenterSettings(_Checked):
    """The image segmenter (ISS)."""

    GROUP = 'segmenter'
    model: str = setting(
        '', 'SegFormer as a transformers directory or a Hugging Face id (nvidia/segformer-b0-'
        'finetuned-ade-512-512); empty: the embedded demo model')
    revision: str = setting(
        '', 'branch, tag or commit of a Hugging Face id; empty: its main branch')
    offline: bool = setting(
        True, 'take a Hugging Face id from the cache alone (ros2 run ditta_ros fetch_models); '
        'false: configure may download it')
    cache_dir: str = setting(
        '', "folder of what was downloaded; empty: huggingface_hub's own (HF_HOME)")
    input_size: str = setting(
        'camera', "what the network sees: frames at their own size, or resized as the model's "
        'preprocessor_config.json says, as transformers does',
        choices=('camera', 'model'))
    device: str = setting(
        'auto', 'where both networks run; auto: the first GPU, else the CPU',
        choices=('auto', 'cpu', 'cuda'))
    max_side_px: int = setting(
        0, 'larger frames are shrunk to this longer side for both networks, and their labels '
        'enlarged again; 0: every frame at its own size', 'px', low=0, high=16384)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.max_side_px < SMALLEST_MAX_SIDE_PX:
            raise SettingError(
                f'segmenter.max_side_px must be 0 or >= {SMALLEST_MAX_SIDE_PX} px, got '
                f'{self.max_side_px}: too little would be left to see')


@dataclass(frozen=True)
class TrackerSettings(_Checked):
    """The mask tracker (SAM 2)."""

    GROUP = 'tracker'
    model: str = setting(
        '', 'SAM 2 as a Hugging Face id (facebook/sam2.1-hiera-tiny), a file of Meta by its own '
        'name (sam2.1_hiera_tiny.pt) or a directory with one; empty: tracker.config')
    config: str = setting(
        '', "SAM 2 model yaml, a file or the name of one of sam2's own (sam2.1_hiera_t.yaml); "
        'empty: the embedded demo model')
    checkpoint: str = setting('', 'SAM 2 weights (.pt or .safetensors) that fit tracker.config')
    revision: str = setting(
        '', 'branch, tag or commit of a Hugging Face id; empty: its main branch')
    offline: bool = setting(
        True, 'take a Hugging Face id from the cache alone (ros2 run ditta_ros fetch_models); '
        'false: configure may download it')
    cache_dir: str = setting(
        '', "folder of what was downloaded; empty: huggingface_hub's own (HF_HOME)")
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
class WarmUpSettings(_Checked):
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
class TargetSettings(_Checked):
    """The vote for the class of an object (section 5)."""

    GROUP = 'targets'
    lambda_area: float = setting(
        0.3, "exponent of a class's share of the mask in the vote (Eq. 4)", low=0.0, high=10.0)
    lambda_freq: float = setting(
        0.8, "exponent of a class's rarity in the vote (Eq. 4)", low=0.0, high=10.0)
    covered_margin_px: int = setting(
        5, 'a peak this near to a tracked mask (L1) is not prompted', 'px', low=0, high=100)


@dataclass(frozen=True)
class AdaptationSettings(_Checked):
    """How the decode head learns (section 6)."""

    GROUP = 'adaptation'
    learning_rate: float = setting(
        5e-5, 'step size of AdamW; the paper: 1e-3', low=0.0, high=1.0)
    passes: int = setting(5, 'times over the warm-up frames', 'passes', low=0, high=1000)
    when: str = setting(
        'after_warm_up', 'learn once the warm-up has been seen, or from the last '
        'adaptation.passes frames after each of its frames',
        choices=('after_warm_up', 'while_warming_up'))
    distill_on: str = setting(
        'logits', 'cross entropy of the logits, or of the probabilities as the reference does',
        choices=('logits', 'probabilities'))
    contrast_weight: float = setting(
        1.0, 'weight of the contrastive loss (Eq. 7); 0: off', low=0.0, high=100.0)
    batch_norm: str = setting(
        'train', "the head's batch norm while it learns: by each step's own frames, moving the "
        'running statistics (train), or by the statistics that it came with (eval)',
        choices=('train', 'eval'))
    ema_decay: float = setting(
        0.99, 'decay of the momentum head that makes the prototypes', low=0.0, high=1.0)
    features_device: str = setting(
        'network', "where the warm-up's backbone features wait: with the network, or in CPU "
        'memory',
        choices=('network', 'cpu'))
    features_dtype: str = setting(
        'float32', "how the warm-up's backbone features are kept",
        choices=('float32', 'float16', 'bfloat16'))
    max_added_latency_ms: float = setting(
        100.0, 'a unit of adaptation is put off rather than let a frame wait longer than this '
        'for its label', 'ms', low=0.0, high=1e6, live=True)
    seed: int = setting(0, 'seed of the add-on and projection layers', low=0)


@dataclass(frozen=True)
class CheckpointSettings(_Checked):
    """The file that an adapted model is saved in."""

    GROUP = 'checkpoint'
    path: str = setting(
        '', 'file (.safetensors) that the services save and load use; empty: none', live=True)
    load_at_start: bool = setting(
        False, 'configure loads checkpoint.path and skips the warm-up; a file that is not there '
        'yet is no fault')


@dataclass(frozen=True)
class Settings(_Checked):
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
    flat: dict[str, Any] = {}
    for parameter in parameters():
        value: Any = settings
        for part in parameter.name.split('.'):
            value = getattr(value, part)
        flat[parameter.name] = value
    return flat
