"""Object masks through the stream, forward and backward (method section 4), by SAM 2.

The only module that imports sam2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from hydra.errors import HydraException
from hydra.utils import instantiate
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from ditta_ros.cohort import Cohort, Embedding, bool_masks, mask_input, point_input
from ditta_ros.errors import ModelError, one_line
from ditta_ros.prompts import Prompt
from ditta_ros.provenance import digest
from ditta_ros.sam2_config import read_config
from ditta_ros.sam2_files import find_tracker
from ditta_ros.sam2_shortcuts import take_shortcuts
from ditta_ros.settings import TrackerSettings
from ditta_ros.weights import load_weights

EMBEDDED_MODEL = Path(__file__).parent / 'demo' / 'weights' / 'tiny_sam2'

# SAM 2 reads the pointers of up to 15 past frames: after 16 without a sight of any of its
# objects, all that a cohort remembers apart from its prompt is absence.
RETIRE_AFTER_FRAMES = 16
FLOAT32_BYTES = 4

Masks = dict[int, Tensor]  # object id -> bool [H, W] on the device


class Started(NamedTuple):
    """Masks of objects that were started on the frame tracked last.

    ``backward`` yields their masks on the frames before it, newest first, as far back as the
    tracker reaches: each item is tracked when it is asked for, none before.
    """

    here: Masks
    backward: Iterator[Masks]


class MaskTracker(Protocol):
    """What the session asks of a tracker."""

    def start(self, size_px: tuple[int, int]) -> None:
        """Forget everything; frames of ``size_px`` (H, W) follow."""

    def track(self, rgb: Tensor) -> Masks:
        """Take the next frame, uint8 [H, W, 3]; return the mask of every living object."""

    def prompt(self, prompts: Sequence[Prompt]) -> Started:
        """Start objects on the frame given last."""

    def memory_bound_mb(self, objects: int) -> float:
        """Return what the stream may take at most with so many objects, in MB (1e6 bytes)."""

    def stop(self) -> None:
        """Free the memory of the stream."""


class Sam2Tracker:
    """SAM 2, online: one call per arriving frame, no list of future frames.

    The objects prompted on one frame are one batch (:class:`~ditta_ros.cohort.Cohort`).  New
    objects are tracked back through the image features of the last ``backward_buffer_frames``
    frames and leave the others' memory untouched.  A cohort of which no object was seen for
    ``retire_after_frames`` frames in a row is dropped, and its objects with it.  Memory held is
    bounded whatever the stream's length.
    """

    def __init__(
        self, model: SAM2Base, backward_buffer_frames: int,
        retire_after_frames: int = RETIRE_AFTER_FRAMES,
        buffer_device: torch.device | str | None = None, buffer_dtype: torch.dtype | None = None,
    ) -> None:
        """Track with ``model``, on the device that it is on.

        The model is the tracker's from then on: see :mod:`~ditta_ros.sam2_shortcuts`.
        The image features of past frames wait on ``buffer_device`` as ``buffer_dtype``; None: on
        the model's device, in float32.  In half precision backward masks are no longer bit-equal.
        """
        self._model: Any = model.eval()
        take_shortcuts(model)
        self._buffer_device, self._buffer_dtype = buffer_device, buffer_dtype
        self._retire_after_frames = retire_after_frames
        self._size_px: tuple[int, int] | None = None
        # The buffer, oldest first, and behind it the current frame.
        self._embeddings: deque[Embedding] = deque(maxlen=backward_buffer_frames + 1)
        self._cohorts: list[Cohort] = []

    @classmethod
    def load(cls, settings: TrackerSettings, device: torch.device | str) -> Sam2Tracker:
        """Build the model that ``settings`` name, see :func:`~ditta_ros.sam2_files.find_tracker`.

        None named: the embedded model.  Raises ModelError.
        """
        files = find_tracker(settings, EMBEDDED_MODEL)
        try:
            model = build_sam2(files.config, files.checkpoint, device, settings.image_size_px)
        except ModelError as error:
            if not settings.model:
                raise
            raise ModelError(
                f'tracker.model {settings.model!r} cannot be loaded: {error}') from error
        return cls(
            model, settings.backward_buffer_frames,
            buffer_device='cpu' if settings.buffer_device == 'cpu' else None,
            buffer_dtype=getattr(torch, settings.buffer_dtype))

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the living objects, oldest cohort first."""
        return tuple(number for cohort in self._cohorts for number in cohort.object_ids)

    @property
    def memory_mb(self) -> float:
        """Size of all tensors held for the stream (1 MB = 1e6 bytes), on whichever device.

        Neither the weights count nor a backward walk that is under way.
        """
        held = [feature for embedding in self._embeddings for feature in embedding.maps]
        held += [tensor for cohort in self._cohorts for tensor in cohort.tensors()]
        storages = [tensor.untyped_storage() for tensor in held]
        return sum({item.data_ptr(): item.nbytes() for item in storages}.values()) / 1e6

    def memory_bound_mb(self, objects: int) -> float:
        """Return a bound on ``memory_mb`` with so many objects, and the newest on their way back.

        What SAM 2 computes for a frame and drops again is not in it.
        """
        model = self._model
        grid = (model.image_size // model.backbone_stride) ** 2
        # The neck narrows its two finer maps, of 4 and 16 times as many positions, to 1/4 and 1/8.
        shares = (1, 4 / 4, 16 / 8)[:model.num_feature_levels]
        embedding = sum(shares) * model.hidden_dim * grid * FLOAT32_BYTES
        waiting = (self._embeddings.maxlen or 0) - 1
        scale = (self._buffer_dtype or torch.float32).itemsize / FLOAT32_BYTES
        each = (model.num_maskmem * model.mem_dim * grid
                + (model.max_obj_ptrs_in_encoder + 1) * model.hidden_dim) * FLOAT32_BYTES
        return (embedding * (1 + waiting * scale) + 2 * objects * each) / 1e6

    def sha256(self) -> str:
        """Return the digest of the model's weights, in hex."""
        return digest(self._model.state_dict())

    def keep_past(self, frames: int) -> None:
        """Keep the image features of so many past frames from now on, the newest ones."""
        self._embeddings = deque(self._embeddings, maxlen=frames + 1)

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
        now = self._embed(rgb)
        masks: Masks = {}
        for cohort in self._cohorts:
            masks |= _masks(cohort, cohort.step(now), size_px)
        self._cohorts = [cohort for cohort in self._cohorts if not self._vanished(cohort)]
        return masks

    def prompt(self, prompts: Sequence[Prompt]) -> Started:
        """Start an object at each prompt's pixel on the frame given last to ``track``.

        ``backward`` reaches as far as the buffer, and ends early once none of the objects was
        seen for ``retire_after_frames``.  ``Prompt.t`` is not read.
        """
        if not prompts:
            return Started({}, iter(()))
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

    def start_from_masks(self, masks: Mapping[int, Tensor]) -> Started:
        """Start objects from bool masks [H, W] on the frame given last; returns as ``prompt``."""
        if not masks:
            return Started({}, iter(()))
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
    ) -> Started:
        """Start a cohort on the current frame, and a walk back through the buffer."""
        if len({*object_ids, *self.object_ids}) < len(object_ids) + len(self.object_ids):
            raise ValueError(
                f'each object needs an id of its own, got {object_ids} beside the living '
                f'{list(self.object_ids)}')
        if not self._embeddings:
            raise ValueError('objects start on a frame, got none yet: call track() first')
        size_px = self._started()
        *past, now = self._embeddings
        cohort, logits = Cohort.prompted(self._model, object_ids, now, points, masks)
        here = _masks(cohort, logits, size_px)
        self._cohorts.append(cohort)
        return Started(here, self._walk_back(cohort.turned_back(), past, size_px))

    def _walk_back(
        self, cohort: Cohort, past: list[Embedding], size_px: tuple[int, int],
    ) -> Iterator[Masks]:
        """Yield the masks on each frame of ``past`` (oldest first), newest first."""
        while past and not self._vanished(cohort):
            embedding = past.pop().to(self._model.device, torch.float32)
            yield _masks(cohort, cohort.step(embedding), size_px)

    def _embed(self, rgb: Tensor) -> Embedding:
        """Encode the next frame; the one before it moves to where the buffer waits."""
        t = 0
        if self._embeddings:
            last = self._embeddings.pop()
            t = last.t + 1
            self._embeddings.append(last.to(self._buffer_device, self._buffer_dtype))
        self._embeddings.append(Embedding.of(self._model, rgb.to(self._model.device), t))
        return self._embeddings[-1]

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
    node = read_config(config, image_size_px)
    try:
        model = instantiate(node)
    except HydraException as error:
        raise ModelError(
            f'tracker.config {config} does not describe a SAM 2 model: {one_line(error)}'
        ) from error
    if checkpoint is not None:
        load_weights(model, checkpoint, config)
    return model.to(device).eval()


def _masks(cohort: Cohort, logits: Tensor, size_px: tuple[int, int]) -> Masks:
    masks = bool_masks(logits, size_px)  # [N, H, W]
    cohort.note_seen(masks)
    return dict(zip(cohort.object_ids, masks, strict=True))
