"""Which device the networks run on."""

from __future__ import annotations

import pytest
import torch

from ditta_ros.device import choose_device


def test_a_missing_gpu_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip('this machine has a GPU')
    with pytest.raises(ValueError, match=r'segmenter\.device cuda needs a GPU'):
        choose_device('cuda')
    assert choose_device('auto') == torch.device('cpu')
