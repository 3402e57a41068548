"""SegFormers with random weights as other projects lay them out, and their way to the logits.

Written from the papers (SegFormer, NeurIPS 2021) and from what the two projects call their layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS, DEPTHS, REDUCTIONS = (8, 16, 24, 32), (2, 1, 1, 2), (8, 4, 2, 1)
MLP_RATIO, DIM, CLASSES = 4, 32, 10
State = dict[str, Tensor]


def random_nvlabs(seed: int = 0) -> State:
    """Return a state as NVlabs/SegFormer saves it, with nothing at its initial value."""
    state: State = {}
    generator = torch.Generator().manual_seed(seed)

    def add(name: str, *shape: int, bias: bool = True) -> None:
        fan_in = torch.Size(shape[1:]).numel()
        state[f'{name}.weight'] = torch.randn(shape, generator=generator) * fan_in ** -0.5
        if bias:
            state[f'{name}.bias'] = torch.randn(shape[0], generator=generator) * 0.1

    def add_norm(name: str, width: int) -> None:
        state[f'{name}.weight'] = 0.5 + torch.rand(width, generator=generator)
        state[f'{name}.bias'] = torch.randn(width, generator=generator) * 0.1

    for stage, (width, depth, reduction) in enumerate(
            zip(WIDTHS, DEPTHS, REDUCTIONS, strict=True), 1):
        kernel, before = (7, 3) if stage == 1 else (3, WIDTHS[stage - 2])
        add(f'backbone.patch_embed{stage}.proj', width, before, kernel, kernel)
        # So small that it matters which eps a norm divides by.
        state[f'backbone.patch_embed{stage}.proj.weight'] *= 0.1
        add_norm(f'backbone.patch_embed{stage}.norm', width)
        for index in range(depth):
            block = f'backbone.block{stage}.{index}'
            add_norm(f'{block}.norm1', width)
            add(f'{block}.attn.q', width, width)
            add(f'{block}.attn.kv', 2 * width, width)
            add(f'{block}.attn.proj', width, width)
            if reduction > 1:
                add(f'{block}.attn.sr', width, width, reduction, reduction)
                add_norm(f'{block}.attn.norm', width)
            add_norm(f'{block}.norm2', width)
            add(f'{block}.mlp.fc1', MLP_RATIO * width, width)
            add(f'{block}.mlp.dwconv.dwconv', MLP_RATIO * width, 1, 3, 3)
            add(f'{block}.mlp.fc2', width, MLP_RATIO * width)
        add_norm(f'backbone.norm{stage}', width)
        add(f'decode_head.linear_c{stage}.proj', DIM, width)
    add('decode_head.linear_fuse.conv', DIM, 4 * DIM, 1, 1, bias=False)
    add_norm('decode_head.linear_fuse.bn', DIM)
    state['decode_head.linear_fuse.bn.running_mean'] = torch.randn(DIM, generator=generator) * 0.1
    state['decode_head.linear_fuse.bn.running_var'] = 0.5 + torch.rand(DIM, generator=generator)
    state['decode_head.linear_fuse.bn.num_batches_tracked'] = torch.tensor(7)
    add('decode_head.linear_pred', CLASSES, DIM, 1, 1)
    add('decode_head.conv_seg', CLASSES, DIM, 1, 1)
    return state


def add_on(seed: int = 0) -> State:
    """Return the layers of the method, as its authors save them."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for layer, numbers, shape in (
            ('query_layer', (0, 2), (DIM, DIM)), ('key_layer', (0, 2), (DIM, DIM)),
            ('proj_feat', (0, 2, 4), (DIM, DIM, 1, 1))):
        for number in numbers:
            state[f'decode_head.{layer}.{number}.weight'] = torch.randn(shape, generator=generator)
            state[f'decode_head.{layer}.{number}.bias'] = torch.randn(DIM, generator=generator)
    return state


def as_mmseg(nvlabs: State) -> State:
    """Return the same weights as mmsegmentation saves them: packed, the MLP as convolutions."""
    state = {name: value for name, value in nvlabs.items() if name.startswith('decode_head.')}
    for stage, (depth, reduction) in enumerate(zip(DEPTHS, REDUCTIONS, strict=True)):
        ours, theirs = f'backbone.layers.{stage}', f'backbone.patch_embed{stage + 1}'
        pairs = {f'{ours}.0.projection': f'{theirs}.proj', f'{ours}.0.norm': f'{theirs}.norm',
                 f'{ours}.2': f'backbone.norm{stage + 1}'}
        for index in range(depth):
            ours, theirs = (
                f'backbone.layers.{stage}.1.{index}', f'backbone.block{stage + 1}.{index}')
            pairs |= {f'{ours}.norm1': f'{theirs}.norm1', f'{ours}.norm2': f'{theirs}.norm2',
                      f'{ours}.attn.attn.out_proj': f'{theirs}.attn.proj',
                      f'{ours}.ffn.layers.0': f'{theirs}.mlp.fc1',
                      f'{ours}.ffn.layers.1': f'{theirs}.mlp.dwconv.dwconv',
                      f'{ours}.ffn.layers.4': f'{theirs}.mlp.fc2'}
            if reduction > 1:
                pairs |= {f'{ours}.attn.sr': f'{theirs}.attn.sr',
                          f'{ours}.attn.norm': f'{theirs}.attn.norm'}
            for leaf in ('weight', 'bias'):
                state[f'{ours}.attn.attn.in_proj_{leaf}'] = torch.cat(
                    [nvlabs[f'{theirs}.attn.{part}.{leaf}'] for part in ('q', 'kv')])
        for ours, theirs in pairs.items():
            for leaf in ('weight', 'bias'):
                value = nvlabs[f'{theirs}.{leaf}']
                flat = leaf == 'weight' and '.ffn.layers.' in ours and value.ndim == 2
                state[f'{ours}.{leaf}'] = value[:, :, None, None] if flat else value
    return state


def nvlabs_logits(state: State, image: Tensor) -> Tensor:
    """Run NVlabs/SegFormer: image [B, 3, H, W] to logits [B, C, H/4, W/4]."""
    features = []
    for stage, depth in enumerate(DEPTHS, 1):
        image = _conv(state, f'backbone.patch_embed{stage}.proj', image, 4 if stage == 1 else 2)
        grid = image.shape[2:]
        x = _norm(state, f'backbone.patch_embed{stage}.norm', _tokens(image), 1e-5)
        for index in range(depth):
            block = f'backbone.block{stage}.{index}'
            y = _norm(state, f'{block}.norm1', x, 1e-6)
            reduced = y
            if f'{block}.attn.sr.weight' in state:
                reduced = _reduced(state, f'{block}.attn.sr', y, grid)
                reduced = _norm(state, f'{block}.attn.norm', reduced, 1e-5)
            query = _linear(state, f'{block}.attn.q', y)
            key, value = _linear(state, f'{block}.attn.kv', reduced).chunk(2, -1)
            heads = WIDTHS[stage - 1] // WIDTHS[0]
            query, key, value = (
                part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (query, key, value))
            weights = (query @ key.transpose(2, 3) * query.shape[3] ** -0.5).softmax(3)
            y = (weights @ value).transpose(1, 2).flatten(2)
            x = x + _linear(state, f'{block}.attn.proj', y)
            y = _linear(state, f'{block}.mlp.fc1', _norm(state, f'{block}.norm2', x, 1e-6))
            y = _depthwise(state, f'{block}.mlp.dwconv.dwconv', _maps(y, grid))
            x = x + _linear(state, f'{block}.mlp.fc2', F.gelu(_tokens(y)))
        image = _maps(_norm(state, f'backbone.norm{stage}', x, 1e-6), grid)
        features.append(image)
    return _head(state, features)


def mmseg_logits(state: State, image: Tensor) -> Tensor:
    """Run mmsegmentation's backbone with the same decode head."""
    features = []
    for stage, depth in enumerate(DEPTHS):
        name = f'backbone.layers.{stage}'
        image = _conv(state, f'{name}.0.projection', image, 2 if stage else 4)
        grid = image.shape[2:]
        x = _norm(state, f'{name}.0.norm', _tokens(image), 1e-6)
        for index in range(depth):
            block = f'{name}.1.{index}'
            y = _norm(state, f'{block}.norm1', x, 1e-6)
            reduced = y
            if f'{block}.attn.sr.weight' in state:
                reduced = _reduced(state, f'{block}.attn.sr', y, grid)
                reduced = _norm(state, f'{block}.attn.norm', reduced, 1e-6)
            attention = nn.MultiheadAttention(
                WIDTHS[stage], WIDTHS[stage] // WIDTHS[0], batch_first=True)
            attention.load_state_dict({
                part: state[f'{block}.attn.attn.{part}'] for part in attention.state_dict()})
            x = x + attention(y, reduced, reduced)[0]
            y = _conv(state, f'{block}.ffn.layers.0', _maps(
                _norm(state, f'{block}.norm2', x, 1e-6), grid))
            y = F.gelu(_depthwise(state, f'{block}.ffn.layers.1', y))
            x = x + _tokens(_conv(state, f'{block}.ffn.layers.4', y))
        image = _maps(_norm(state, f'{name}.2', x, 1e-6), grid)
        features.append(image)
    return _head(state, features)


def _head(state: State, features: list[Tensor]) -> Tensor:
    size = features[0].shape[2:]
    parts = []
    for stage, feature in enumerate(features, 1):
        part = _linear(state, f'decode_head.linear_c{stage}.proj', _tokens(feature))
        parts.append(F.interpolate(
            _maps(part, feature.shape[2:]), size, mode='bilinear', align_corners=False))
    fused = F.conv2d(torch.cat(parts[::-1], 1), state['decode_head.linear_fuse.conv.weight'])
    norm = 'decode_head.linear_fuse.bn'
    fused = F.batch_norm(
        fused, state[f'{norm}.running_mean'], state[f'{norm}.running_var'],
        state[f'{norm}.weight'], state[f'{norm}.bias'])
    return _conv(state, 'decode_head.linear_pred', F.relu(fused))


def _conv(state: State, name: str, maps: Tensor, stride: int = 1) -> Tensor:
    weight = state[f'{name}.weight']
    return F.conv2d(maps, weight, state[f'{name}.bias'], stride, weight.shape[2] // 2)


def _depthwise(state: State, name: str, maps: Tensor) -> Tensor:
    return F.conv2d(
        maps, state[f'{name}.weight'], state[f'{name}.bias'], 1, 1, groups=maps.shape[1])


def _reduced(state: State, name: str, tokens: Tensor, grid: torch.Size) -> Tensor:
    weight = state[f'{name}.weight']
    return _tokens(F.conv2d(
        _maps(tokens, grid), weight, state[f'{name}.bias'], weight.shape[2]))


def _linear(state: State, name: str, tokens: Tensor) -> Tensor:
    return F.linear(tokens, state[f'{name}.weight'], state[f'{name}.bias'])


def _norm(state: State, name: str, tokens: Tensor, eps: float) -> Tensor:
    return F.layer_norm(
        tokens, tokens.shape[-1:], state[f'{name}.weight'], state[f'{name}.bias'], eps)


def _tokens(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)


def _maps(tokens: Tensor, grid: torch.Size) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, grid)
