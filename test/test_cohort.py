"""Hand-computed cases of what goes into SAM 2 and what comes out; see test_tracker.py too."""

from __future__ import annotations

import torch

from ditta_ros.cohort import (
    UPSAMPLED_AT_ONCE,
    bool_masks,
    input_image,
    mask_input,
    point_input,
)


def test_the_input_image_is_square_normalised_rgb() -> None:
    rgb = torch.zeros(2, 6, 3, dtype=torch.uint8)
    rgb[..., 0] = 255
    rgb[:, 3:, 2] = 51  # 0.2 in the right half
    image = input_image(rgb, 4)
    assert (image.shape, image.dtype) == ((1, 3, 4, 4), torch.float32)
    torch.testing.assert_close(image[0, 0], torch.full((4, 4), (1 - 0.485) / 0.229))
    torch.testing.assert_close(image[0, 1], torch.full((4, 4), (0 - 0.456) / 0.224))
    torch.testing.assert_close(image[0, 2, :, 0], torch.full((4,), (0 - 0.406) / 0.225))
    torch.testing.assert_close(image[0, 2, :, 3], torch.full((4,), (0.2 - 0.406) / 0.225))


def test_a_shrunken_image_is_antialiased() -> None:
    rgb = torch.zeros(8, 8, 3, dtype=torch.uint8)
    rgb[:, ::2] = 255  # stripes of one pixel
    image = input_image(rgb, 2)[0, 0] * 0.229 + 0.485
    assert (image - 0.5).abs().max() < 0.1


def test_points_are_scaled_x_first() -> None:
    # Frame 6 high, 12 wide; input 24: one frame pixel is 2 wide and 4 high there.
    prompt = point_input([(5, 2), (0, 0)], (6, 12), 24, torch.device('cpu'))
    torch.testing.assert_close(
        prompt['point_coords'], torch.tensor([[[10.0, 8.0]], [[0.0, 0.0]]]))
    assert prompt['point_labels'].tolist() == [[1], [1]]
    assert prompt['point_labels'].dtype == torch.int32


def test_a_mask_prompt_is_resized_and_stays_binary() -> None:
    masks = torch.zeros(2, 4, 8, dtype=torch.bool)
    masks[0, :, 4:] = True
    masks[1, 2:] = True
    prompt = mask_input(masks, 4)
    assert (prompt.shape, prompt.dtype) == ((2, 1, 4, 4), torch.float32)
    assert prompt[0, 0].tolist() == [[0, 0, 1, 1]] * 4
    assert prompt[1, 0].tolist() == [[0] * 4] * 2 + [[1] * 4] * 2


def test_logits_above_zero_are_the_mask_at_frame_size() -> None:
    logits = torch.tensor([[[[-1.0, 3.0]]], [[[-1024.0, -1024.0]]]])  # [2, 1, 1, 2]
    masks = bool_masks(logits, (2, 4))
    # Bilinear over four columns: -1, 0, 2, 3; zero is not above zero.
    assert masks.tolist() == [[[False, False, True, True]] * 2, [[False] * 4] * 2]


def test_many_masks_are_upsampled_a_few_at_a_time_to_the_same() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2 * UPSAMPLED_AT_ONCE + 1, 1, 3, 5)
    masks = bool_masks(logits, (7, 9))
    assert masks.shape == (len(logits), 7, 9)
    for logit, mask in zip(logits, masks, strict=True):
        assert torch.equal(bool_masks(logit[None], (7, 9))[0], mask)
