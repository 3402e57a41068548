"""A SegFormer in the layout of another project gives the logits that it gives there."""

from __future__ import annotations

import collections
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import SegformerForSemanticSegmentation

import source_layouts
from ditta_ros.convert.__main__ import main
from ditta_ros.segmenter import Decoded, Segmenter
from ditta_ros.temporal import attend

NAMES = [f'class {index}' for index in range(source_layouts.CLASSES)]
LAYOUTS = {
    'nvlabs': (source_layouts.random_nvlabs(), source_layouts.nvlabs_logits),
    'mmseg': (source_layouts.as_mmseg(source_layouts.random_nvlabs()),
              source_layouts.mmseg_logits),
}


@pytest.fixture
def names(tmp_path: Path) -> str:
    (tmp_path / 'names.txt').write_text('\n'.join(NAMES))
    return str(tmp_path / 'names.txt')


def random_rgb() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (64, 96, 3), dtype=torch.uint8, generator=generator)


def logits_of(segmenter: Segmenter, rgb: Tensor) -> Tensor:
    with torch.no_grad():
        return segmenter.head(segmenter.encode(rgb)).logits


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert text.count('\n') == 1, 'a refusal is one line'
    return text


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('wrapped', [
    lambda state: state,
    lambda state: {'state_dict': collections.OrderedDict(state), 'meta': {'epoch': 3}},
    lambda state: {'model': {f'module.{name}': value for name, value in state.items()}},
])
def test_the_logits_are_those_of_the_source(layout, wrapped, names, tmp_path, capsys) -> None:
    state, forward = LAYOUTS[layout]
    torch.save(wrapped(state), tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 0
    assert 'left out, no label needs them: decode_head.conv_seg.weight' in capsys.readouterr().out
    segmenter = Segmenter.load(str(tmp_path / 'out'))
    assert segmenter.label_set.names == tuple(NAMES)
    rgb = random_rgb()
    image = ((rgb.movedim(2, 0).float() / 255 - segmenter.mean) / segmenter.std)[None]
    with torch.no_grad():
        expected = forward(state, image)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits_of(segmenter, rgb), expected, rtol=1e-5, atol=1e-5)
    for module in segmenter.backbone.modules():  # as transformers builds it
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5
    assert not torch.allclose(logits_of(segmenter, rgb), expected, rtol=1e-5, atol=1e-5)


def test_transformers_reads_the_directory_by_itself(names, tmp_path) -> None:
    torch.save(LAYOUTS['nvlabs'][0], tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 0
    network, report = SegformerForSemanticSegmentation.from_pretrained(
        tmp_path / 'out', output_loading_info=True)
    assert not report['missing_keys'] and not report['unexpected_keys']
    config = network.config
    assert (config.depths, config.hidden_sizes) == ([2, 1, 1, 2], [8, 16, 24, 32])
    assert (config.num_attention_heads, config.sr_ratios) == ([1, 2, 3, 4], [8, 4, 2, 1])
    assert (config.mlp_ratios, config.patch_sizes) == ([4, 4, 4, 4], [7, 3, 3, 3])
    assert config.label2id['class 3'] == 3


def test_a_file_as_torch_wrote_it_before_zip(names, tmp_path) -> None:
    state, _ = LAYOUTS['nvlabs']
    torch.save(state, tmp_path / 'in.pth', _use_new_zipfile_serialization=False)
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 0


def test_half_precision_is_widened(names, tmp_path) -> None:
    half = {name: value.half() if value.is_floating_point() else value
            for name, value in LAYOUTS['mmseg'][0].items()}
    torch.save(half, tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 0
    written = load_file(tmp_path / 'out' / 'model.safetensors')
    assert {value.dtype for value in written.values()} == {torch.float32, torch.int64}
    assert torch.equal(written['decode_head.classifier.bias'],
                       half['decode_head.linear_pred.bias'].float())


def test_the_add_on_comes_along(names, tmp_path, capsys) -> None:
    added = source_layouts.add_on()
    torch.save(LAYOUTS['nvlabs'][0] | added, tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 0
    assert 'with add-on layers' in capsys.readouterr().out
    head = Segmenter.load(str(tmp_path / 'out')).head.state_dict()
    for theirs, ours in (('query_layer', 'query_mlp'), ('key_layer', 'key_mlp'),
                         ('proj_feat', 'projection')):
        for number in (0, 2, 4) if ours == 'projection' else (0, 2):
            for leaf in ('weight', 'bias'):
                assert torch.equal(
                    head[f'{ours}.{number}.{leaf}'],
                    added[f'decode_head.{theirs}.{number}.{leaf}'])


def test_the_reference_head(addon_golden, names, tmp_path) -> None:
    state = dict(LAYOUTS['nvlabs'][0])
    state |= {f'decode_head.{key.removeprefix("w.")}': torch.from_numpy(array)
              for key, array in addon_golden.items() if key.startswith('w.')}
    torch.save(state, tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 0
    head = Segmenter.load(str(tmp_path / 'out')).head
    in0, in1, in2, in3 = (torch.from_numpy(addon_golden[f'in{stage}']) for stage in range(4))
    with torch.no_grad():
        feature, logits = head((in0, in1, in2, in3))
        before = Decoded(feature[:1], logits[:1])
        carried = attend(
            head.query(feature[1:]), head.key(before.feature), before.logits,
            int(addon_golden['window']))
        projected = head.project(feature)
    np.testing.assert_allclose(logits[1], addon_golden['logits'][0], atol=1e-5)
    # The unscaled attention enlarges rounding; by the wrong layers it would be off by more than 1.
    np.testing.assert_allclose(carried[0], addon_golden['logits'][1], atol=1e-3)
    np.testing.assert_allclose(projected, addon_golden['feat'], atol=1e-4)


@pytest.mark.parametrize('meta', [
    {'CLASSES': NAMES, 'PALETTE': [[index, 0, 9] for index in range(10)]},
    {'dataset_meta': {'classes': tuple(NAMES), 'palette': [[index, 0, 9] for index in range(10)]}},
])
def test_classes_and_colours_that_the_file_names(meta, tmp_path) -> None:
    torch.save({'state_dict': LAYOUTS['mmseg'][0], 'meta': meta}, tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out')]) == 0
    label_set = Segmenter.load(str(tmp_path / 'out')).label_set
    assert label_set.names == tuple(NAMES)
    assert label_set.palette[7].tolist() == [7, 0, 9]


def test_one_of_several_models_is_chosen(names, tmp_path, capsys) -> None:
    state, _ = LAYOUTS['nvlabs']
    other = source_layouts.random_nvlabs(1)
    torch.save({**{f'model.{name}': value for name, value in other.items()},
                **{f'ema_model.{name}': value for name, value in state.items()}},
               tmp_path / 'in.pth')
    arguments = [str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]
    assert main(arguments) == 2
    assert "prefixes 'ema_model.', 'model.', got --prefix None" in refusal(capsys)
    assert main([*arguments, '--prefix', 'ema_model.']) == 0
    written = load_file(tmp_path / 'out' / 'model.safetensors')
    assert torch.equal(
        written['decode_head.classifier.bias'], state['decode_head.linear_pred.bias'])


class Opaque:
    """Stands for what training frameworks put into checkpoints: an object of their own."""


def lacking(*endings: str) -> dict[str, Tensor]:
    return {name: value for name, value in LAYOUTS['nvlabs'][0].items()
            if not name.endswith(endings)}


NVLABS = LAYOUTS['nvlabs'][0]


@pytest.mark.parametrize(('saved', 'says'), [
    ({'state_dict': NVLABS, 'hook': Opaque()}, 'plain containers alone, got .*Opaque'),
    ([1, 2], 'must hold tensors by name, by themselves or .* got list'),
    ({'state_dict': {'weight': 1.0}}, 'must hold tensors by name'),
    ({'layer.weight': torch.ones(2)}, r'no tensor called backbone\.patch_embed1\.proj\.weight'),
    (NVLABS | {'decode_head.convs.0.conv.weight': torch.ones(2)}, "got mmsegmentation's own"),
    (NVLABS | {'backbone.extra': torch.ones(2, 3)}, r'got backbone\.extra \[2, 3\] too'),
    (lacking('linear_pred.weight'), r'got none of decode_head\.classifier\.weight'),
    (lacking('patch_embed3.proj.weight'), r'got none of segformer\.encoder\.patch_embeddings\.2'),
    (lacking('block1.1.norm2.bias'), 'does not make a whole SegFormer.* lacks 1 weights'),
    (NVLABS | {'backbone.norm4.bias': torch.ones(5)}, 'does not make a whole SegFormer'),
    (NVLABS | {'decode_head.query_layer.0.weight': torch.ones(32, 32)},
     r'does not make a whole SegFormer.*got key_mlp|does not make .*got query_mlp\.0\.bias'),
    (NVLABS | {'backbone.patch_embed2.proj.weight': torch.ones(20, 8, 3, 3)},
     r'widths that are multiples of the first, got 3 channels and widths \[8, 20, 24, 32\]'),
    (NVLABS | {'backbone.block2.0.mlp.fc1.weight': torch.ones(50, 16)},
     r'hidden layers that are multiples of its widths'),
])
def test_what_is_no_segformer_is_refused_in_one_line(
    saved, says, names, tmp_path, capsys,
) -> None:
    torch.save(saved, tmp_path / 'in.pth')
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out'), '--names', names]) == 2
    text = refusal(capsys)
    assert str(tmp_path / 'in.pth') in text
    assert re.search(says, text), text
    assert sorted(path.name for path in tmp_path.iterdir()) == ['in.pth', 'names.txt']


class _Call:
    """A pickle of this makes the folder when it is read carelessly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize('content', [b'', b'PK no zip', b'text'])
def test_a_file_that_is_no_checkpoint(content, tmp_path, capsys) -> None:
    (tmp_path / 'in.pth').write_bytes(content)
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out')]) == 2
    assert str(tmp_path / 'in.pth') in refusal(capsys)
    assert main([str(tmp_path / 'none.pth'), str(tmp_path / 'out')]) == 2
    assert 'none.pth cannot be read' in refusal(capsys)


def test_a_file_cannot_run_code(tmp_path, capsys) -> None:
    (tmp_path / 'in.pth').write_bytes(pickle.dumps({'model': _Call(tmp_path / 'called')}, 2))
    assert main([str(tmp_path / 'in.pth'), str(tmp_path / 'out')]) == 2
    assert 'in.pth' in refusal(capsys)
    assert not (tmp_path / 'called').exists()


def test_names_and_output_are_checked(names, tmp_path, capsys) -> None:
    torch.save(NVLABS, tmp_path / 'in.pth')
    arguments = [str(tmp_path / 'in.pth'), str(tmp_path / 'out')]
    assert main(arguments) == 2
    assert 'does not name its 10 classes: give --names' in refusal(capsys)
    assert main([*arguments, '--names', 'cityscapes']) == 2
    assert 'must name the 10 classes of' in refusal(capsys)
    assert main([*arguments, '--names', str(tmp_path / 'absent')]) == 2
    assert '--names must be one of vspw, ade20k, cityscapes or a file' in refusal(capsys)
    (tmp_path / 'out').mkdir()
    assert main([*arguments, '--names', names]) == 2
    assert 'must not exist yet' in refusal(capsys)
    assert not list((tmp_path / 'out').iterdir())
