"""Object masks through the stream, forward and backward (method section 4), by SAM 2.

The only module that imports sam2.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn
from yaml import YAMLError

from ditta_ros.cohort import Cohort, Embedding, bool_masks, mask_input, point_input
from ditta_ros.errors import ModelError, one_line
from ditta_ros.prompts import Prompt
from ditta_ros.settings import TrackerSettings
from ditta_ros.weights import load_weights

EMBEDDED_MODEL = Path(__file__).parent / 'demo' / 'weights' / 'tiny_sam2'

# SAM 2 reads the pointers of up to 15 past frames: after 16 without a sight of any of its
# objects, all that a cohort remembers apart from its prompt is absence.
RETIRE_AFTER_FRAMES = 16
IMAGE_SIZE_STEP_PX = 32

_BASE = 'sam2.modeling.sam2_base.SAM2Base'
_PREDICTORS = (
    'sam2.sam2_video_predictor.SAM2VideoPredictor',
    'sam2.sam2_video_predictor.SAM2VideoPredictorVOS',
)
_PREDICTOR_KEYS = (
    'fill_hole_area', 'non_overlap_masks', 'clear_non_cond_mem_around_input',
    'add_all_frames_to_correct_as_cond',
    # Acts between the objects of a batch; sam2's predictor has one object in each: no effect.
    'non_overlap_masks_for_mem_enc',
)

Masks = dict[int, Tensor]  # object id -> bool [H, W] on the device


class MaskTracker(Protocol):
    """What the session asks of a tracker."""

    def start(self, size_px: tuple[int, int]) -> None:
        """Forget everything; frames of ``size_px`` (H, W) follow."""

    def track(self, rgb: Tensor) -> Masks:
        """Take the next frame, uint8 [H, W, 3]; return the mask of every living object."""

    def prompt(self, prompts: Sequence[Prompt]) -> tuple[Masks, list[Masks]]:
        """Start objects on the frame given last.

        Returns their masks on that frame, and on the frames before it, newest first, as far back
        as the tracker reaches.
        """

    def stop(self) -> None:
        """Free the memory of the stream."""


class Sam2Tracker:
    """SAM 2, online: one call per arriving frame, no list of future frames.

    The objects prompted on one frame are one batch (:class:`~ditta_ros.cohort.Cohort`).  New
    objects are tracked back at once through the image features of the last
    ``backward_buffer_frames`` frames and leave the others' memory untouched.  A cohort of which
    no object was seen for ``retire_after_frames`` frames in a row is dropped, and its objects
    with it.  Memory held is bounded whatever the stream's length.
    """

    def __init__(
        self, model: SAM2Base, backward_buffer_frames: int,
        retire_after_frames: int = RETIRE_AFTER_FRAMES,
    ) -> None:
        """Track with ``model``, which is put into eval mode, on the device that it is on."""
        self._model: Any = model.eval()
        self._retire_after_frames = retire_after_frames
        self._size_px: tuple[int, int] | None = None
        # The buffer, oldest first, and behind it the current frame.
        self._embeddings: deque[Embedding] = deque(maxlen=backward_buffer_frames + 1)
        self._cohorts: list[Cohort] = []

    @classmethod
    def load(cls, settings: TrackerSettings, device: torch.device | str) -> Sam2Tracker:
        """Build the model that ``tracker.config`` and ``tracker.checkpoint`` name.

        Both empty: the embedded model.  Raises ModelError.
        """
        if bool(settings.config) != bool(settings.checkpoint):
            raise ModelError(
                'tracker.config and tracker.checkpoint belong together, got '
                f'{settings.config!r} and {settings.checkpoint!r}: set both, or neither for the '
                'embedded model')
        config = Path(settings.config or EMBEDDED_MODEL / 'model.yaml')
        checkpoint = Path(settings.checkpoint or EMBEDDED_MODEL / 'model.safetensors')
        model = build_sam2(config, checkpoint, device, settings.image_size_px)
        return cls(model, settings.backward_buffer_frames)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the living objects, oldest cohort first."""
        return tuple(number for cohort in self._cohorts for number in cohort.object_ids)

    @property
    def memory_mb(self) -> float:
        """Size of all tensors held for the stream (1 MB = 1e6 bytes), the weights not counted."""
        held = [feature for embedding in self._embeddings for feature in embedding.maps]
        held += [tensor for cohort in self._cohorts for tensor in cohort.tensors()]
        storages = [tensor.untyped_storage() for tensor in held]
        return sum({item.data_ptr(): item.nbytes() for item in storages}.values()) / 1e6

    def start(self, size_px: tuple[int, int]) -> None:
        """Forget everything; frames of ``size_px`` (H, W) follow."""
        self.stop()
        self._size_px = size_px

    def stop(self) -> None:
        """Free the memory of the stream; the model stays."""
        self._size_px = None
        self._embeddings.clear()
        self._cohorts.clear()

    def track(self, rgb: Tensor) -> Masks:
        """Take the next frame, uint8 [H, W, 3] RGB; return the mask of every living object.

        An object that SAM 2 scores absent has an empty mask.
        """
        size_px = self._started()
        if tuple(rgb.shape) != (*size_px, 3) or rgb.dtype != torch.uint8:
            raise ValueError(
                f'frames must be uint8 {[*size_px, 3]} as told to start(), got {rgb.dtype} '
                f'{list(rgb.shape)}: call start() with the new size')
        masks: Masks = {}
        with torch.inference_mode():
            t = self._embeddings[-1].t + 1 if self._embeddings else 0
            now = Embedding.of(self._model, rgb.to(self._model.device), t)
            self._embeddings.append(now)
            for cohort in self._cohorts:
                masks |= self._masks(cohort, cohort.step(now))
        self._cohorts = [cohort for cohort in self._cohorts if not self._vanished(cohort)]
        return _ordinary(masks)

    def prompt(self, prompts: Sequence[Prompt]) -> tuple[Masks, list[Masks]]:
        """Start an object at each prompt's pixel on the frame given last to ``track``.

        Returns their masks on that frame, and on the frames before it through the buffer, newest
        first; the list ends early once none of them was seen for ``retire_after_frames``.
        ``Prompt.t`` is not read.
        """
        if not prompts:
            return {}, []
        height, width = self._started()
        for item in prompts:
            if not (0 <= item.x_px < width and 0 <= item.y_px < height):
                raise ValueError(
                    f'a prompt must lie in the frame of {width} x {height} px, got x {item.x_px}, '
                    f'y {item.y_px} for object {item.object_id}')
        points = point_input(
            [(item.x_px, item.y_px) for item in prompts], (height, width),
            self._model.image_size, self._model.device)
        return self._begin([item.object_id for item in prompts], points=points)

    def start_from_masks(self, masks: Mapping[int, Tensor]) -> tuple[Masks, list[Masks]]:
        """Start objects from bool masks [H, W] on the frame given last; returns as ``prompt``."""
        if not masks:
            return {}, []
        size_px = self._started()
        for number, mask in masks.items():
            if tuple(mask.shape) != size_px or mask.dtype != torch.bool:
                raise ValueError(
                    f'a mask prompt must be bool {list(size_px)}, got {mask.dtype} '
                    f'{list(mask.shape)} for object {number}')
        stacked = torch.stack(list(masks.values())).to(self._model.device)  # [N, H, W]
        return self._begin(list(masks), masks=mask_input(stacked, self._model.image_size))

    def _begin(
        self, object_ids: list[int], points: dict[str, Tensor] | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Masks, list[Masks]]:
        """Start a cohort on the current frame and track it back through the buffer."""
        if len({*object_ids, *self.object_ids}) < len(object_ids) + len(self.object_ids):
            raise ValueError(
                f'each object needs an id of its own, got {object_ids} beside the living '
                f'{list(self.object_ids)}')
        if not self._embeddings:
            raise ValueError('objects start on a frame, got none yet: call track() first')
        before = []
        with torch.inference_mode():
            cohort, logits = Cohort.prompted(
                self._model, object_ids, self._embeddings[-1], points, masks)
            here = self._masks(cohort, logits)
            backward = cohort.turned_back()
            for embedding in islice(reversed(self._embeddings), 1, None):
                if self._vanished(backward):
                    break
                before.append(self._masks(backward, backward.step(embedding)))
        self._cohorts.append(cohort)
        return _ordinary(here), [_ordinary(frame) for frame in before]

    def _masks(self, cohort: Cohort, logits: Tensor) -> Masks:
        masks = bool_masks(logits, self._started())  # [N, H, W]
        cohort.note_seen(masks)
        return dict(zip(cohort.object_ids, masks, strict=True))

    def _vanished(self, cohort: Cohort) -> bool:
        return cohort.absent_frames >= self._retire_after_frames

    def _started(self) -> tuple[int, int]:
        if self._size_px is None:
            raise ValueError("the tracker needs the frames' size: call start((height, width))")
        return self._size_px


def build_sam2(
    config: Path, checkpoint: Path | None, device: torch.device | str, image_size_px: int = 0,
) -> SAM2Base:
    """Build SAM 2's video model in float32, eval mode, from a SAM 2 style yaml and its weights.

    ``config`` has a ``model`` node as the yaml files of the sam2 package have; ``checkpoint`` is
    ``.pt`` holding ``{'model': state}`` or ``.safetensors`` (half precision is widened).  None:
    random weights from torch's global generator.  ``image_size_px`` is the side of the square
    input, 0: the configuration's.  Raises ModelError, in one line.
    """
    node = _read_config(config)
    if image_size_px % IMAGE_SIZE_STEP_PX:
        raise ModelError(
            f'tracker.image_size_px must be a multiple of {IMAGE_SIZE_STEP_PX}, got '
            f'{image_size_px}: its position grid is tiled by windows')
    if image_size_px:
        node.image_size = image_size_px
    try:
        model = instantiate(node)
    except HydraException as error:
        raise ModelError(
            f'tracker.config {config} does not describe a SAM 2 model: {one_line(error)}'
        ) from error
    if checkpoint is not None:
        load_weights(model, checkpoint, config)
    return model.to(device).eval()


def _read_config(config: Path) -> Any:
    """Return the ``model`` node, resolved and checked: instantiate() calls whatever it names."""
    try:
        tree = OmegaConf.to_container(OmegaConf.load(config), resolve=True)
    except (OSError, YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ModelError(f'tracker.config {config} cannot be read: {one_line(error)}') from error
    node = tree.get('model') if isinstance(tree, dict) else None
    if not isinstance(node, dict):
        raise ModelError(
            f'tracker.config {config} must have a `model` node, got none: take one of the yaml '
            'files that the sam2 package brings in configs/')
    if node.get('_target_') in _PREDICTORS:
        node['_target_'] = _BASE
    for key, value in _entries(node):
        if key == '_target_' and not _is_sam2_module(value):
            raise ModelError(
                f'tracker.config {config} may name only network classes of sam2.modeling in '
                f'_target_, got {value!r}')
        if key == 'weights_path':
            raise ModelError(
                f'tracker.config {config} must not have a weights_path, got {value!r}: weights '
                'come from tracker.checkpoint')
    if node.get('_target_') != _BASE:
        raise ModelError(
            f'tracker.config {config} must describe a {_BASE}, got {node.get("_target_")!r}')
    return OmegaConf.create(
        {key: value for key, value in node.items() if key not in _PREDICTOR_KEYS})


def _entries(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every key and value of a tree of dicts and lists."""
    if isinstance(node, dict):
        yield from node.items()
    if isinstance(node, (dict, list)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _entries(child)


def _is_sam2_module(target: Any) -> bool:
    """Whether ``target`` is a network class that a module of sam2.modeling defines.

    The prefix alone would let through what such a module imports (sam2.modeling.x.torch.hub.load).
    """
    module_name, _, name = str(target).rpartition('.')
    if not module_name.startswith('sam2.modeling.'):
        return False
    try:
        found = getattr(importlib.import_module(module_name), name, None)
    except ImportError:
        return False
    return (isinstance(found, type) and issubclass(found, nn.Module)
            and found.__module__ == module_name)


def _ordinary(masks: Masks) -> Masks:
    """Copy masks out of inference mode, so that autograd may use them."""
    return {number: mask.clone() for number, mask in masks.items()}
