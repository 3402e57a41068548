"""Objects prompted on one frame, tracked as one batch on SAM 2's video model.

``model`` is sam2's ``SAM2Base`` throughout (:func:`ditta_ros.tracker.build_sam2` makes it).  Its
``track_step`` takes the features of a frame and a dict of earlier outputs, and is used as
sam2's own video predictor uses it, with two differences: the batch holds every object of the
cohort where the predictor runs them one by one, and outputs that SAM 2 will not read again are
dropped.  Objects do not influence one another.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

IMAGE_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB
IMAGE_STD = (0.229, 0.224, 0.225)

# SAM 2 reads fewer pointers than max_obj_ptrs_in_encoder in a video that is shorter; a stream's
# length is unknown, so it is treated as a long video from its first frame on.
NUM_FRAMES = sys.maxsize
UPSAMPLED_AT_ONCE = 8  # objects


def input_image(rgb: Tensor, image_size: int) -> Tensor:
    """Return SAM 2's input, float32 [1, 3, S, S], for a uint8 [H, W, 3] RGB frame.

    Bilinear with antialias to ``image_size`` (the aspect ratio is not kept), then /255 and
    ImageNet's mean and standard deviation, as sam2's image transform does.
    """
    image = rgb.permute(2, 0, 1)[None].float() / 255  # [1, 3, H, W]
    image = interpolate(
        image, size=(image_size, image_size), mode='bilinear', align_corners=False,
        antialias=True)
    return (image - _channels(IMAGE_MEAN, image)) / _channels(IMAGE_STD, image)


def point_input(
    points_px: Sequence[tuple[int, int]], size_px: tuple[int, int], image_size: int,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return SAM 2's point prompt for one foreground click per object.

    ``points_px`` are (x, y) pixels of a frame of size (H, W), scaled to the input as sam2's
    predictor scales them: x * S / W.  SAM 2 itself then adds 0.5, the centre of an input pixel.
    """
    height, width = size_px
    points = torch.tensor(points_px, dtype=torch.float32, device=device)  # [N, 2] x y
    coords = points / points.new_tensor([width, height]) * image_size
    labels = torch.ones(len(points_px), 1, dtype=torch.int32, device=device)
    return {'point_coords': coords[:, None], 'point_labels': labels}  # [N, 1, 2], [N, 1]


def mask_input(masks: Tensor, image_size: int) -> Tensor:
    """Return SAM 2's mask prompt, float32 [N, 1, S, S] of 0 and 1, for bool masks [N, H, W]."""
    resized = interpolate(
        masks[:, None].float(), size=(image_size, image_size), mode='bilinear',
        align_corners=False, antialias=True)
    return (resized >= 0.5).float()


@dataclass(frozen=True)
class Embedding:
    """SAM 2's features of frame ``t``: maps [1, C, h, w], finest first, on the device."""

    t: int
    maps: tuple[Tensor, ...]

    @classmethod
    @torch.inference_mode()
    def of(cls, model: Any, rgb: Tensor, t: int) -> Embedding:
        """Encode a uint8 [H, W, 3] RGB frame."""
        backbone = model.forward_image(input_image(rgb, model.image_size))
        return cls(t, tuple(backbone['backbone_fpn'][-model.num_feature_levels:]))

    def to(
        self, device: torch.device | str | None, dtype: torch.dtype | None,
    ) -> Embedding:
        """Return it on ``device`` as ``dtype``; None: as it is.  Shared where nothing changes."""
        return Embedding(
            self.t, tuple(feature.to(device=device, dtype=dtype) for feature in self.maps))

    def for_objects(self, model: Any, count: int) -> dict[str, Any]:
        """Return the features as ``track_step`` wants them: views [h w, count, C] per map.

        Of the positions ``track_step`` reads only those of the coarsest map, so the rest are
        not made.
        """
        position = model.image_encoder.neck.position_encoding(self.maps[-1])  # [1, C, h, w]
        return {
            'current_vision_feats': [_flat(feature, count) for feature in self.maps],
            'current_vision_pos_embeds': [_flat(position, count)],
            'feat_sizes': [tuple(feature.shape[-2:]) for feature in self.maps],
        }


class Cohort:
    """Objects that share their prompt frame, hence their memory layout; one batch.

    It holds the output on the prompt frame (which SAM 2 reads for ever), the memories of the last
    ``num_maskmem - 1`` frames and the object pointers of the last
    ``max_obj_ptrs_in_encoder - 1``, and nothing older.
    """

    def __init__(
        self, model: Any, object_ids: Sequence[int], t: int, prompted: dict[str, Any],
        backward: bool = False,
    ) -> None:
        self.object_ids = tuple(object_ids)
        self.absent_frames = 0  # in a row, in which no object of the cohort was seen
        self._model = model
        self._backward = backward
        self._prompt_t = t
        self._prompted = prompted
        self._recent: dict[int, dict[str, Any]] = {}

    @classmethod
    @torch.inference_mode()
    def prompted(
        cls, model: Any, object_ids: Sequence[int], embedding: Embedding,
        points: dict[str, Tensor] | None = None, masks: Tensor | None = None,
    ) -> tuple[Cohort, Tensor]:
        """Start objects from points (:func:`point_input`) or from masks (:func:`mask_input`).

        Returns the cohort and the mask logits [N, 1, S/4, S/4] on the prompt frame.
        """
        features = embedding.for_objects(model, len(object_ids))
        output = model.track_step(
            frame_idx=embedding.t, is_init_cond_frame=True, **features, point_inputs=points,
            mask_inputs=masks, output_dict={}, num_frames=NUM_FRAMES, run_mem_encoder=False)
        logits = output['pred_masks']
        # A given mask, too, is remembered as it is after SAM 2's downsampling, and as an answer to
        # clicks: so sam2's predictor does.
        memory, position = model._encode_new_memory(
            features['current_vision_feats'], features['feat_sizes'],
            interpolate(logits, size=(model.image_size,) * 2, mode='bilinear'),
            output['object_score_logits'], is_mask_from_pts=True)
        # Equal for all objects and frames: held once.
        position = position[-1][:1].clone().expand_as(memory)
        cohort = cls(model, object_ids, embedding.t, {
            'maskmem_features': memory, 'maskmem_pos_enc': [position],
            'obj_ptr': output['obj_ptr']})
        return cohort, logits

    def turned_back(self) -> Cohort:
        """Return the same objects, set to walk from the prompt frame to earlier ones.

        They start from the prompt alone; this cohort's memory stays as it is.
        """
        turned = Cohort(
            self._model, self.object_ids, self._prompt_t, self._prompted, backward=True)
        turned.absent_frames = self.absent_frames
        return turned

    @torch.inference_mode()
    def step(self, embedding: Embedding) -> Tensor:
        """Track into the next frame; return mask logits [N, 1, S/4, S/4].

        Frames must come in order: t + 1 after t, or t - 1 when turned back.  Where SAM 2 scores an
        object absent, all its logits are sam2's NO_OBJ_SCORE, -1024.
        """
        output = self._model.track_step(
            frame_idx=embedding.t, is_init_cond_frame=False,
            **embedding.for_objects(self._model, len(self.object_ids)),
            point_inputs=None, mask_inputs=None,
            output_dict={
                'cond_frame_outputs': {self._prompt_t: self._prompted},
                'non_cond_frame_outputs': self._recent},
            num_frames=NUM_FRAMES, track_in_reverse=self._backward)
        self._recent[embedding.t] = {
            'maskmem_features': output['maskmem_features'],
            'maskmem_pos_enc': self._prompted['maskmem_pos_enc'],
            'obj_ptr': output['obj_ptr']}
        self._forget(embedding.t)
        return output['pred_masks']

    def note_seen(self, masks: Tensor) -> None:
        """Count frames in a row on which every mask of [N, H, W] is empty."""
        self.absent_frames = 0 if bool(masks.any()) else self.absent_frames + 1

    def tensors(self) -> Iterator[Tensor]:
        """Yield every tensor held (some share storage)."""
        for output in (self._prompted, *self._recent.values()):
            yield output['obj_ptr']
            if output['maskmem_features'] is not None:
                yield output['maskmem_features']
            yield from output['maskmem_pos_enc']

    def _forget(self, t: int) -> None:
        """Drop what SAM 2 will not read when it tracks the frame after ``t``."""
        model = self._model
        stride = model.memory_temporal_stride_for_eval
        memory_frames = max((model.num_maskmem - 2) * stride + 1, 0)
        pointer_frames = model.max_obj_ptrs_in_encoder - 1
        for past in list(self._recent):
            age = abs(t - past) + 1  # frames between it and the next frame to track
            if age > memory_frames:
                self._recent[past]['maskmem_features'] = None
            if age > max(memory_frames, pointer_frames):
                del self._recent[past]


def bool_masks(logits: Tensor, size_px: tuple[int, int]) -> Tensor:
    """Return bool masks [N, H, W]: logits [N, 1, h, w], bilinearly at (H, W), above 0.

    A few objects at a time: 100 in float32 at 1080p would be 0.8 GB.
    """
    return torch.cat([
        interpolate(few, size=size_px, mode='bilinear', align_corners=False)[:, 0] > 0
        for few in logits.split(UPSAMPLED_AT_ONCE)])


def _flat(feature: Tensor, count: int) -> Tensor:
    return feature.expand(count, -1, -1, -1).flatten(2).permute(2, 0, 1)  # [h w, count, C]


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(values).view(1, 3, 1, 1)
