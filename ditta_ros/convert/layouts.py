"""The names of SegFormer's layers in other projects, and on the Hugging Face hub.

Those of the hub are what transformers has published SegFormers in since the first, whatever its
own modules are called.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ditta_ros.convert.source import Source
from ditta_ros.errors import ModelError

# Source name -> names on the hub; where there are several, the source has their rows in one.
# A stage is ``stage`` where it counts from 0, ``nth`` where from 1.
_Rules = Mapping[str, tuple[str, ...]]

_LEAF = r'[._](?P<leaf>weight|bias|running_mean|running_var|num_batches_tracked)'
_NVLABS_STAGE: _Rules = {
    r'patch_embed(?P<nth>\d)\.proj': ('patch_embeddings.{stage}.proj',),
    r'patch_embed(?P<nth>\d)\.norm': ('patch_embeddings.{stage}.layer_norm',),
    r'norm(?P<nth>\d)': ('layer_norm.{stage}',),
}
_NVLABS_BLOCK: _Rules = {
    r'norm(?P<which>[12])': ('layer_norm_{which}',),
    r'attn\.q': ('attention.self.query',),
    r'attn\.kv': ('attention.self.key', 'attention.self.value'),
    r'attn\.proj': ('attention.output.dense',),
    r'attn\.sr': ('attention.self.sr',),
    r'attn\.norm': ('attention.self.layer_norm',),
    r'mlp\.fc(?P<which>[12])': ('mlp.dense{which}',),
    r'mlp\.dwconv\.dwconv': ('mlp.dwconv.dwconv',),
}
_MMSEG_STAGE: _Rules = {
    r'layers\.(?P<stage>\d)\.0\.projection': ('patch_embeddings.{stage}.proj',),
    r'layers\.(?P<stage>\d)\.0\.norm': ('patch_embeddings.{stage}.layer_norm',),
    r'layers\.(?P<stage>\d)\.2': ('layer_norm.{stage}',),
}
_MMSEG_BLOCK: _Rules = {
    r'norm(?P<which>[12])': ('layer_norm_{which}',),
    r'attn\.attn\.in_proj': (
        'attention.self.query', 'attention.self.key', 'attention.self.value'),
    r'attn\.attn\.out_proj': ('attention.output.dense',),
    r'attn\.sr': ('attention.self.sr',),
    r'attn\.norm': ('attention.self.layer_norm',),
    r'ffn\.layers\.0': ('mlp.dense1',),
    r'ffn\.layers\.1': ('mlp.dwconv.dwconv',),
    r'ffn\.layers\.4': ('mlp.dense2',),
}
_HEAD: _Rules = {
    r'decode_head\.linear_c(?P<nth>\d)\.proj': ('decode_head.linear_c.{stage}.proj',),
    r'decode_head\.linear_fuse\.conv': ('decode_head.linear_fuse',),
    r'decode_head\.linear_fuse\.bn': ('decode_head.batch_norm',),
    r'decode_head\.linear_pred': ('decode_head.classifier',),
}
_ADD_ON: _Rules = {  # into the names of ditta_ros.segmenter.Head
    r'(?:decode_head\.)?query_layer\.(?P<which>\d)': ('query_mlp.{which}',),
    r'(?:decode_head\.)?key_layer\.(?P<which>\d)': ('key_mlp.{which}',),
    r'(?:decode_head\.)?proj_feat\.(?P<which>\d)': ('projection.{which}',),
}
# A classifier that SegFormer's head has and does not use; heads that only training uses.
_UNUSED = re.compile(r'decode_head\.conv_seg\.|auxiliary_head\.|backbone\.head\.')


def _of_encoder(stages: _Rules, block: str, blocks: _Rules) -> _Rules:
    rules = dict(stages)
    for source, names in blocks.items():
        rules[block + source] = tuple(f'block.{{stage}}.{{block}}.{name}' for name in names)
    return {rf'backbone\.{source}': tuple(f'segformer.encoder.{name}' for name in names)
            for source, names in rules.items()}


@dataclass(frozen=True)
class Layout:
    """How one project names a SegFormer, and with which eps it builds the layer norms."""

    title: str
    rules: _Rules
    norm_eps: Mapping[str, float]  # as ditta_ros.segmenter_files.set_norm_eps takes it


NVLABS = Layout(
    'NVlabs/SegFormer',
    {**_of_encoder(_NVLABS_STAGE, r'block(?P<nth>\d)\.(?P<block>\d+)\.', _NVLABS_BLOCK), **_HEAD},
    {'patch_embeddings': 1e-5, 'attention': 1e-5, 'block': 1e-6})
MMSEG = Layout(
    'mmsegmentation',
    {**_of_encoder(_MMSEG_STAGE, r'layers\.(?P<stage>\d)\.1\.(?P<block>\d+)\.', _MMSEG_BLOCK),
     **_HEAD},
    {'patch_embeddings': 1e-6, 'attention': 1e-6, 'block': 1e-6})


@dataclass(frozen=True, eq=False)
class Translated:
    """A SegFormer by the names of the hub, and the method's layers by those of ``Head``."""

    layout: Layout
    state: dict[str, Tensor] = field(default_factory=dict)  # float32
    add_on: dict[str, Tensor] = field(default_factory=dict)  # float32; {} without
    unused: list[str] = field(default_factory=list)  # source names


def translate(source: Source) -> Translated:
    """Rename, unpack and reshape all weights of ``source``.

    Raises ModelError for a weight that no SegFormer has, and for a decode head of another form.
    """
    layout = MMSEG if any(name.startswith('backbone.layers.') for name in source.state) else NVLABS
    if any(name.startswith('decode_head.convs.') for name in source.state):
        raise ModelError(
            f"{source.file} must have the decode head of the paper (decode_head.linear_c1 to c4), "
            "got mmsegmentation's own (decode_head.convs), which has a batch norm and a ReLU on "
            'each stage: train with the former, or take a SegFormer of the hub')
    translated = Translated(layout)
    for name, value in source.state.items():
        if _UNUSED.match(name):
            translated.unused.append(name)
        elif new := _renamed(name, value, layout.rules):
            translated.state.update(new)
        elif new := _renamed(name, value, _ADD_ON):
            translated.add_on.update(new)
        else:
            raise ModelError(
                f'{source.file} must hold the weights of a SegFormer as {layout.title} names '
                f'them, got {name} {list(value.shape)} too: give a file without')
    return translated


def _renamed(name: str, value: Tensor, rules: _Rules) -> dict[str, Tensor]:
    """Return the weights that one of the source is on the hub; {} where no rule knows it."""
    for source, names in rules.items():
        match = re.fullmatch(source + _LEAF, name)
        if match is None:
            continue
        parts = match.groupdict()
        if 'nth' in parts:
            parts['stage'] = str(int(parts['nth']) - 1)
        wide = value.float() if value.is_floating_point() else value
        rows = [wide] if len(names) == 1 else wide.chunk(len(names))
        return {f'{name.format(**parts)}.{parts["leaf"]}': _shaped(name, part)
                for name, part in zip(names, rows, strict=True)}
    return {}


def _shaped(name: str, value: Tensor) -> Tensor:
    """Return what mmsegmentation has as a 1x1 convolution as the linear layer that it is."""
    return value.flatten(1) if value.ndim == 4 and '.mlp.dense' in name else value
