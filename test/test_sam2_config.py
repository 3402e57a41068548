"""What a SAM 2 style yaml may say, and which models it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ditta_ros.errors import ModelError
from ditta_ros.sam2_memory_attention import attend
from ditta_ros.sam2_shortcuts import take_shortcuts
from ditta_ros.tracker import build_sam2
from tracking import SAM2_CONFIGS, TINY


@pytest.mark.parametrize('size', ['t', 's', 'b+', 'l'])
@pytest.mark.parametrize('name', ['sam2/sam2', 'sam2.1/sam2.1'])
def test_the_yaml_files_of_the_sam2_package_build(name: str, size: str) -> None:
    model = build_sam2(SAM2_CONFIGS / f'{name}_hiera_{size}.yaml', None, 'cpu')
    assert (model.image_size, model.num_maskmem, model.training) == (1024, 7, False)
    take_shortcuts(model)
    assert model.memory_attention.forward.func is attend


def test_the_input_size_is_a_parameter() -> None:
    assert build_sam2(TINY, None, 'cpu', 96).sam_image_embedding_size == 6
    with pytest.raises(ModelError, match=r'tracker\.image_size_px must be a multiple of 32.*100'):
        build_sam2(TINY, None, 'cpu', 100)


def test_a_predictors_yaml_builds_the_plain_model(tmp_path: Path) -> None:
    config = OmegaConf.load(TINY)
    config.model._target_ = 'sam2.sam2_video_predictor.SAM2VideoPredictor'
    config.model.fill_hole_area = 8
    config.model.non_overlap_masks_for_mem_enc = True
    OmegaConf.save(config, tmp_path / 'model.yaml')
    model = build_sam2(tmp_path / 'model.yaml', None, 'cpu')
    assert type(model).__name__ == 'SAM2Base'
    assert not model.non_overlap_masks_for_mem_enc


@pytest.mark.parametrize('target', [
    'os.mkdir',
    'sam2.modeling.sam2_base.torch.load',  # what a module imports is not what it defines
    'sam2.modeling.sam2_utils.get_clones',  # no network class
    'sam2.modeling.sam2_utils.nothing',
    'sam2.build_sam.build_sam2_video_predictor_hf',
    'sam2.modeling.sam2_utils.MLP',  # a network class, but of no yaml
    'torch.nn.Linear',
    ['os.mkdir'],
    {'_target_': 'os.mkdir'},
])
@pytest.mark.parametrize('where', ['model', 'model.image_encoder.trunk', 'model.extra'])
def test_a_yaml_cannot_call_what_it_likes(where: str, target: Any, tmp_path: Path) -> None:
    config = OmegaConf.load(TINY)
    if where == 'model.extra':
        config.model.extra = [{'_target_': target, '_args_': [str(tmp_path / 'called')]}]
    else:
        OmegaConf.update(config, f'{where}._target_', target)
        OmegaConf.update(
            config, f'{where}._args_', [str(tmp_path / 'called')], force_add=True)
    OmegaConf.save(config, tmp_path / 'model.yaml')
    with pytest.raises(ModelError, match=r'tracker\.config .*_target_'):
        build_sam2(tmp_path / 'model.yaml', None, 'cpu')
    assert not (tmp_path / 'called').exists()


@pytest.mark.parametrize(('text', 'says'), [
    ('model: [', 'cannot be read'),
    ('trainer: {}', 'must have a `model` node'),
    ('model: ${nowhere}', 'must have a `model` node'),
    ('home: x\nmodel: {a: "${home}"}', r"may have no interpolation, got '\$\{home\}'"),
    ('model: {a: ["\\x24{oc.env:HOME}"]}', 'may have no interpolation'),
    ('model: {"a${b": 1}', 'may have no interpolation'),
    ('model: {_partial_: true}', "no directive for hydra but _target_, got '_partial_'"),
    ('model: {a: {_args_: [1]}}', 'no directive for hydra'),
    ('a: &a {b: 1}\nmodel: *a', "no anchors and aliases, got 'a' in line 1"),
    ('model: !!python/object/apply:os.getcwd []', 'no tags'),
    ('model: ' + '[' * 100, 'nest 40 levels at most'),
    ('model: ' + '9' * 5000, 'cannot be read'),
    ('model: 1\n' + '#' * 2 ** 20, 'may have 1048576 bytes at most'),
    ('model: {image_size: 192}', 'must describe a'),
    ('model: {_target_: sam2.modeling.sam2_base.SAM2Base, image_size: 192}', 'does not describe'),
    ('model: {_target_: sam2.modeling.sam2_base.SAM2Base, weights_path: w.pt}', 'weights_path'),
])
def test_an_unfit_yaml_is_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    config = tmp_path / 'model.yaml'
    config.write_text(text)
    with pytest.raises(ModelError, match=says) as caught:
        build_sam2(config, None, 'cpu')
    assert f'tracker.config {config}' in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_yaml_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r'tracker\.config .*cannot be read'):
        build_sam2(tmp_path / 'none.yaml', None, 'cpu')
