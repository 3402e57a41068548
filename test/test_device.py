"""Which device the networks run on."""

from __future__ import annotations

import pytest
import torch

from ditta_ros import device as module
from ditta_ros.device import choose_device, describe


def test_a_missing_gpu_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip('this machine has a GPU')
    with pytest.raises(ValueError, match=r'segmenter\.device cuda needs a GPU'):
        choose_device('cuda')
    assert choose_device('auto') == torch.device('cpu')


def test_the_cpu_is_told_loudly_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    module._warn_of_cpu.cache_clear()
    device = choose_device('cpu')
    assert 'the networks run on the CPU, where they are slow: as segmenter.device' in caplog.text
    assert describe(device) == 'CPU'
    if not torch.cuda.is_available():
        choose_device('auto')
        assert f'torch {torch.__version__} finds no GPU that it can use' in caplog.text
    said = len(caplog.records)
    choose_device('cpu')
    assert len(caplog.records) == said  # once is enough


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_is_called_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    assert describe(choose_device('auto')) == torch.cuda.get_device_name(0)
    assert not caplog.records
