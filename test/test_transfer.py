"""What is copied to a device and back is what it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ditta_ros.frame import Frame
from ditta_ros.transfer import download, upload

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason='needs a GPU'))]
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
ROWS_APART = np.random.default_rng(1).integers(0, 256, (5, 11, 3), np.uint8)[:, :7]
GRAY = np.broadcast_to(PIXELS[:, :, :1], PIXELS.shape)
VIEWS = {'rgb': PIXELS, 'bgr': PIXELS[:, :, ::-1], 'gray': GRAY, 'rows apart': ROWS_APART,
         'bgr, rows apart': ROWS_APART[:, :, ::-1]}


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('view', VIEWS)
def test_every_view_of_a_camera_image_is_uploaded_as_it_looks(view: str, device: str) -> None:
    image = VIEWS[view].copy() if view == 'rgb' else VIEWS[view]
    there = upload(image, device)
    assert (there.device.type, there.dtype, there.is_contiguous()) == (device, torch.uint8, True)
    assert there.tolist() == VIEWS[view].tolist()
    if view == 'rgb':
        image[:] = 0  # a message's memory is given back
        assert there.tolist() == PIXELS.tolist()


@pytest.mark.parametrize('device', DEVICES)
def test_a_frame_is_the_same_on_any_device(device: str) -> None:
    for view in VIEWS.values():
        assert Frame.from_array(view, device=device).rgb.tolist() == view.tolist()
    with pytest.raises(ValueError, match=r'uint8 \[H, W, 3\] in RGB, got torch.float32'):
        Frame.from_array(np.zeros((4, 6, 3), np.float32), device=device)


@pytest.mark.parametrize('device', DEVICES)
def test_maps_come_back_in_their_order(device: str) -> None:
    maps = [torch.arange(12, dtype=torch.uint8).view(3, 4), torch.tensor([0.5]),
            torch.tensor([[1, 65535]], dtype=torch.int32).to(torch.uint16)]
    back = download(*(each.to(device) for each in maps))
    assert [each.dtype for each in back] == [np.uint8, np.float32, np.uint16]
    assert [each.tolist() for each in back] == [each.tolist() for each in maps]
    assert download() == []
    turned = maps[0].to(device).T
    assert download(turned)[0].tolist() == maps[0].T.tolist()
