"""The shortcuts on a whole model against what sam2 itself does; see the parts' tests, too."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine

from ditta_ros.cohort import Embedding
from ditta_ros.sam2_mask_decoder import decode, two_way
from ditta_ros.sam2_memory_attention import attend
from ditta_ros.sam2_shortcuts import MASKS_AT_ONCE, channel_norm, encode_masks, take_shortcuts
from ditta_ros.tracker import build_sam2
from tracking import TINY, squares

CHANNELS = 16


def model() -> Any:
    torch.manual_seed(0)
    return build_sam2(TINY, None, 'cpu', 128)


def masks_encoder() -> MemoryEncoder:
    torch.manual_seed(0)
    encoder = MemoryEncoder(
        8, MaskDownSampler(CHANNELS, kernel_size=3, stride=2, padding=1),
        Fuser(CXBlock(CHANNELS, layer_scale_init_value=0.5), num_layers=2),
        PositionEmbeddingSine(8), in_dim=CHANNELS)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder.eval()


@pytest.mark.parametrize('count', [1, MASKS_AT_ONCE, 2 * MASKS_AT_ONCE + 1])
@pytest.mark.parametrize('as_logits', [False, True])
@torch.inference_mode()
def test_masks_on_one_image_are_encoded_as_by_sam2(count: int, as_logits: bool) -> None:
    encoder = masks_encoder()
    image = torch.randn(1, CHANNELS, 2, 3).expand(count, -1, -1, -1)
    masks = torch.randn(count, 1, 32, 48)
    expected = encoder(image, masks, skip_mask_sigmoid=not as_logits)
    got = encode_masks(encoder, image, masks, skip_mask_sigmoid=not as_logits)
    torch.testing.assert_close(got, expected)


@torch.inference_mode()
def test_a_norm_over_channels_is_sam2s() -> None:
    norm = masks_encoder().mask_downsampler.encoder[1]
    feature = torch.randn(3, 4, 10, 14)
    torch.testing.assert_close(channel_norm(norm, feature), norm(feature))


@torch.inference_mode()
def test_a_model_that_takes_them_all_gives_the_same() -> None:
    sam2, changed = model(), model()
    take_shortcuts(changed)
    features = Embedding.of(sam2, squares(1)[0], 0).for_objects(sam2, 5)
    memory, place = torch.randn(2, 3 * 64 + 8, 5, 32)
    logits = torch.randn(5, 1, 128, 128)

    def outcomes(model: Any) -> list[Any]:
        conditioned = model.memory_attention(
            features['current_vision_feats'][-1:], memory,
            features['current_vision_pos_embeds'][-1:], place, 8)
        heads = model._forward_sam_heads(
            conditioned.permute(1, 2, 0).unflatten(2, (8, 8)), high_res_features=[
                feature.permute(1, 2, 0).unflatten(2, size) for feature, size in zip(
                    features['current_vision_feats'], features['feat_sizes'][:2], strict=False)])
        return [conditioned, *heads, *model._encode_new_memory(
            features['current_vision_feats'], features['feat_sizes'], logits, heads[-1], False)]

    for got, expected in zip(outcomes(changed), outcomes(sam2), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_they_are_taken_and_leave_the_weights_and_their_names() -> None:
    sam2, changed = model(), model()
    take_shortcuts(changed)
    assert forward_of(changed.memory_attention) is attend
    assert forward_of(changed.sam_mask_decoder) is decode
    assert forward_of(changed.sam_mask_decoder.transformer) is two_way
    assert forward_of(changed.memory_encoder) is encode_masks
    before, after = sam2.state_dict(), changed.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_another_layout_stays_sam2s() -> None:
    sam2 = model()
    sam2.memory_attention.layers[0].cross_attn_image.num_heads = 2
    take_shortcuts(sam2)
    assert 'forward' not in vars(sam2.memory_attention)


def forward_of(module: Any) -> Any:
    forward = module.forward
    assert isinstance(forward, partial)
    return forward.func
