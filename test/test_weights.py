"""Weights files that fit, and those that do not."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ditta_ros.errors import ModelError
from ditta_ros.weights import load_weights

CONFIG = Path('model.yaml')


@pytest.fixture
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def state(network: nn.Sequential) -> dict[str, Tensor]:
    return {name: value + 1 for name, value in network.state_dict().items()}


def test_both_kinds_of_file_load(network: nn.Sequential, tmp_path: Path) -> None:
    wanted = state(network)
    torch.save({'model': wanted, 'epoch': 3}, tmp_path / 'a.pt')
    load_weights(network, tmp_path / 'a.pt', CONFIG)
    assert all(torch.equal(wanted[name], value) for name, value in network.state_dict().items())
    save_file(state(network), tmp_path / 'b.safetensors')
    load_weights(network, tmp_path / 'b.safetensors', CONFIG)
    assert torch.equal(network.state_dict()['0.weight'], wanted['0.weight'] + 1)


def test_half_precision_is_widened(network: nn.Sequential, tmp_path: Path) -> None:
    half = {
        name: value.half() if value.is_floating_point() else value
        for name, value in state(network).items()}
    save_file(half, tmp_path / 'half.safetensors')
    load_weights(network, tmp_path / 'half.safetensors', CONFIG)
    weight = network.state_dict()['0.weight']
    assert weight.dtype == torch.float32
    assert torch.equal(weight, half['0.weight'].float())


@pytest.mark.parametrize(('change', 'says'), [
    (lambda s: s.pop('0.bias'), '1 tensors missing: 0.bias'),
    (lambda s: s.update(more=torch.ones(1)), '1 tensors unexpected: more'),
    (lambda s: s.update({'0.weight': torch.ones(2, 4)}),
     r'1 tensors of another shape: 0.weight \[2, 4\] for \[2, 3\]'),
    (lambda s: [s.pop(name) for name in list(s)[:4]], r'4 tensors missing: .*, \.\.\.'),
])
def test_what_does_not_fit_is_named(
    change: Callable[[dict[str, Tensor]], object], says: str, network: nn.Sequential,
    tmp_path: Path,
) -> None:
    before = network.state_dict()['0.weight'].clone()
    changed = state(network)
    change(changed)
    save_file(changed, tmp_path / 'w.safetensors')
    with pytest.raises(ModelError, match=says) as caught:
        load_weights(network, tmp_path / 'w.safetensors', CONFIG)
    message = str(caught.value)
    assert 'tracker.checkpoint' in message and 'tracker.config model.yaml' in message
    assert '\n' not in message
    assert torch.equal(network.state_dict()['0.weight'], before), 'nothing may be loaded in part'


class _Call:
    """A pickle of this makes the folder when it is read carelessly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return Path.mkdir, (self.folder,)


def test_files_that_are_no_weights_are_refused(network: nn.Sequential, tmp_path: Path) -> None:
    (tmp_path / 'broken.pt').write_bytes(b'PK no zip')
    (tmp_path / 'empty.pt').write_bytes(b'')
    (tmp_path / 'broken.safetensors').write_bytes(b'\xff' * 64)
    (tmp_path / 'evil.pt').write_bytes(pickle.dumps({'model': _Call(tmp_path / 'called')}, 2))
    torch.save(state(network), tmp_path / 'bare.pt')
    torch.save({'model': {'0.weight': 1.0}}, tmp_path / 'numbers.pt')
    names = ['broken.pt', 'empty.pt', 'broken.safetensors', 'evil.pt', 'bare.pt', 'numbers.pt',
             'absent.pt', 'absent.safetensors']
    for name in names:
        with pytest.raises(ModelError, match=rf'tracker\.checkpoint .*{name}') as caught:
            load_weights(network, tmp_path / name, CONFIG)
        assert '\n' not in str(caught.value)
    assert not (tmp_path / 'called').exists()
