"""Exported networks, run by onnxruntime, against the labellers that the node uses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_ros import checkpoint
from ditta_ros.demo.world import World
from ditta_ros.export import main
from ditta_ros.export_check import Agreement, compare
from ditta_ros.labeller import IssLabeller, TemporalLabeller
from ditta_ros.provenance import base_hash
from ditta_ros.segmenter import Segmenter
from random_models import save_random_segformer
from sessions import adapted

onnx = pytest.importorskip('onnx', reason="onnx is not installed: pip install 'ditta_ros[export]'")
onnxruntime = pytest.importorskip(
    'onnxruntime', reason="onnxruntime is not installed: pip install 'ditta_ros[export]'")
pytest.importorskip(
    'onnxscript', reason="onnxscript is not installed: pip install 'ditta_ros[export]'")

SIZE_PX = (60, 88)  # neither side is a multiple of the attention's tiles
TAU = 0.8


@pytest.fixture(scope='module')
def segmenter() -> Segmenter:
    return Segmenter.load('')


@pytest.fixture(scope='module')
def learnt(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapted decoder of the embedded model, from a session of three frames."""
    path = tmp_path_factory.mktemp('learnt') / 'adapted.safetensors'
    adapted(segmenter).save(path)
    return path


@pytest.fixture(scope='module')
def with_add_on(learnt: Path) -> Path:
    path = learnt.with_name('add_on.onnx')
    assert main([str(learnt), str(path), '--size', '60x88', '--add-on', '--no-check']) == 0
    return path


def picture(index: int, size_px: tuple[int, int] = SIZE_PX) -> np.ndarray:
    return World(5, size_px).frame(0.3 * index).rgb


def label(
    segmenter: Segmenter, labeller: IssLabeller | TemporalLabeller, rgb: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    features = segmenter.encode(torch.from_numpy(rgb))
    made, reliability = labeller.label(features, rgb.shape[:2], TAU)
    return made.numpy(), reliability.numpy()


def encoder_of(path: Path, segmenter: Segmenter) -> Segmenter:
    """The segmenter as it sees the stream that the head in ``path`` was adapted to."""
    learnt = checkpoint.load(path, segmenter, base_hash(segmenter)).provenance
    return segmenter.recoloured(learnt.seen_colours())


def load_head(path: Path, segmenter: Segmenter) -> torch.nn.Module:
    return checkpoint.load(path, segmenter, base_hash(segmenter)).head


def test_the_plain_network_labels_as_the_node_does(
        segmenter: Segmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'plain.onnx'
    assert main(['none', str(out), '--size', '60x88']) == 0
    told = capsys.readouterr().out
    assert 'rgb -> label, reliability, 60 px high x 88 px wide, opset 18' in told
    assert 'labels equal on' in told and '8 frames of the demo world at 60x88' in told
    session = onnxruntime.InferenceSession(out)
    (rgb,) = session.get_inputs()
    assert (rgb.name, rgb.type, rgb.shape) == ('rgb', 'tensor(uint8)', [1, 60, 88, 3])
    assert [(each.name, each.type, each.shape) for each in session.get_outputs()] == [
        ('label', 'tensor(int32)', [1, 60, 88]), ('reliability', 'tensor(float)', [1, 60, 88])]
    got, certainty = session.run(None, {'rgb': picture(0)[None]})
    expected = label(segmenter, IssLabeller(segmenter.head), picture(0))
    assert (got[0] == expected[0]).mean() >= 0.999 and len(np.unique(got)) > 3
    np.testing.assert_allclose(certainty[0], expected[1], atol=1e-4)


def test_the_file_is_whole_and_says_what_it_is(
        segmenter: Segmenter, learnt: Path, with_add_on: Path) -> None:
    model = onnx.load(with_add_on)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [('', 18)]
    about = {entry.key.removeprefix('ditta_ros.'): entry.value for entry in model.metadata_props}
    assert json.loads(about['classes']) == list(segmenter.label_set.names)
    assert json.loads(about['palette_rgb']) == segmenter.label_set.palette.tolist()
    assert about['tau'] == '0.8'
    provenance = json.loads(about['provenance'])
    assert provenance['base_sha256'] == about['base_sha256'] and provenance['frames'] == 3
    assert sorted(path.name for path in learnt.parent.iterdir()) == [
        'adapted.safetensors', 'add_on.onnx']


def test_the_first_operation_on_the_image_is_a_cast(with_add_on: Path) -> None:
    # TensorRT takes uint8 for nothing else.
    nodes = [node for node in onnx.load(with_add_on).graph.node if 'rgb' in node.input]
    assert [node.op_type for node in nodes] == ['Cast']


def test_with_the_add_on_it_labels_a_stream_as_the_node_does(
        segmenter: Segmenter, learnt: Path, with_add_on: Path) -> None:
    head, encoder = load_head(learnt, segmenter), encoder_of(learnt, segmenter)
    temporal, alone = TemporalLabeller(head), IssLabeller(head)
    session = onnxruntime.InferenceSession(with_add_on)
    past = [np.zeros((15, 22, channels), np.float32) for channels in (64, 12)]
    fused = 0
    for index in range(4):
        rgb = picture(index)
        got, certainty, *past = session.run(None, {
            'rgb': rgb[None], 'past_key': past[0], 'past_logits': past[1]})
        expected = label(encoder, temporal, rgb)
        assert (got[0] == expected[0]).mean() >= 0.999
        np.testing.assert_allclose(certainty[0], expected[1], atol=1e-3)
        fused += int((expected[0] != label(encoder, alone, rgb)[0]).sum())
    assert fused > 20  # or the past would not be seen to matter


def test_zeros_are_a_past_that_changes_nothing(
        segmenter: Segmenter, learnt: Path, with_add_on: Path) -> None:
    session = onnxruntime.InferenceSession(with_add_on)
    nothing = {
        each.name: np.zeros(each.shape, np.float32) for each in session.get_inputs()[1:]}
    head, encoder = load_head(learnt, segmenter), encoder_of(learnt, segmenter)
    for index in range(3):
        got, certainty, *_ = session.run(None, {'rgb': picture(index)[None], **nothing})
        expected = label(encoder, IssLabeller(head), picture(index))
        assert (got[0] != expected[0]).sum() <= 1  # a tie to the last bit
        np.testing.assert_allclose(certainty[0], expected[1], atol=1e-4)


def test_an_adapted_plain_network_is_not_the_model_as_it_came(
        segmenter: Segmenter, learnt: Path, tmp_path: Path) -> None:
    out = tmp_path / 'adapted.onnx'
    assert main([str(learnt), str(out), '--size', '60x88']) == 0
    heads = {'adapted': load_head(learnt, segmenter), 'as it came': segmenter.head}
    encoders = {'adapted': encoder_of(learnt, segmenter), 'as it came': segmenter}
    agreements = {
        name: compare(out, encoders[name], IssLabeller(head), TAU, SIZE_PX, frames=3)
        for name, head in heads.items()}
    assert agreements['adapted'].good and not agreements['as it came'].good


@pytest.mark.parametrize('size_px', [(32, 32), (61, 133), (128, 96)])
def test_free_height_and_width_are_exact(
        size_px: tuple[int, int], segmenter: Segmenter, free: Path) -> None:
    assert compare(free, segmenter, IssLabeller(segmenter.head), TAU, size_px, frames=2).good


@pytest.fixture(scope='module')
def free(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('free') / 'free.onnx'
    assert main(['none', str(path), '--size', '60x88', '--dynamic']) == 0
    return path


def test_a_model_of_another_make_and_more_classes_than_a_byte_holds(tmp_path: Path) -> None:
    folder = save_random_segformer(tmp_path / 'model', classes=300)
    out = tmp_path / 'wide.onnx'
    assert main(['none', str(out), '--size', '64x64', '--set', f'segmenter.model={folder}']) == 0
    (got, _) = onnxruntime.InferenceSession(out).run(None, {'rgb': picture(0, (64, 64))[None]})
    assert got.dtype == np.int32 and got.max() > 255


@pytest.mark.parametrize(('worst', 'good'), [(1.0, True), (0.999, True), (0.998, False)])
def test_the_worst_frame_decides(worst: float, good: bool) -> None:
    assert Agreement((60, 88), 8, 0.9999, worst, 1e-6).good == good


@pytest.mark.parametrize(('arguments', 'told'), [
    (['none', '{tmp}/a.onnx', '--add-on'], '--add-on needs an adapted model'),
    (['x.safetensors', '{tmp}/a.onnx', '--add-on', '--dynamic'], '--dynamic is for the plain'),
    (['none', '{tmp}/nowhere/a.onnx'], 'OUT must end in .onnx and be in a folder that exists'),
    (['none', '{tmp}/a.engine'], 'OUT must end in .onnx'),
    (['{tmp}/nothing.safetensors', '{tmp}/a.onnx'], 'does not exist'),
    (['none', '{tmp}/a.onnx', '--set', 'segmenter.model=/nowhere'], 'segmenter.model'),
    (['none', '{tmp}/a.onnx', '--set', 'no.such=1'], "no parameter is called 'no.such'"),
])
def test_what_cannot_be_exported_is_told_in_one_line(
        arguments: list[str], told: str, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    assert main([each.format(tmp=tmp_path) for each in arguments]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert told in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('missing', 'told'), [
    ('onnxruntime', 'leave the check out by --no-check'), ('onnxscript', "'ditta_ros[export]'"),
])
def test_what_is_not_installed_is_told_with_the_remedy(
        missing: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    assert main(['none', str(tmp_path / 'a.onnx')]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert missing in line and told in line


@pytest.mark.parametrize('size', ['480', '480x', '480x640x3', '-1x640', '31x640', 'axb'])
def test_a_size_that_is_none(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(['none', 'a.onnx', f'--size={size}'])
    assert ended.value.code == 2
    assert 'must be' in capsys.readouterr().err
