"""Every family of rows at a tiny size; no test asserts a time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from ditta_ros.bench import __main__ as command
from ditta_ros.bench import apart, attention, frozen, soak, tracker, warm_up
from ditta_ros.bench.models import build, random_network, sizes_px
from ditta_ros.bench.options import OptionError, Options
from ditta_ros.bench.row import Case, Row, Skipped
from ditta_ros.bench.sam2_files import find, find_all
from random_models import save_random_segformer

SIZE_PX = (64, 96)
SCENE = warm_up.Scene((40, 56), classes=5, dim=12, objects=3)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_random_segformer(tmp_path / 'model'))


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare a process, which imports torch anew, for each figure."""
    monkeypatch.setattr(apart, 'in_own_process', lambda function, *rest: function(*rest))
    monkeypatch.setattr(apart, 'SHORT_S', 0)


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_attention() -> None:
    grid = attention.Grid(height=17, width=26, dim=8, classes=3)
    rows = attention.measure(grid, Options(repeats=1), str)
    assert [row.unit for row in rows] == ['ms', 'MB', '']
    assert [row.bar for row in rows] == ['', '', '<= 1e-4']  # promised at full size only
    assert rows[2].met
    assert all(row.setting == '17x26 D 8 C 3 fp32' for row in rows)


def test_attention_needs_memory_for_the_dense_form() -> None:
    # 18 bytes for each of (10^4 x 10^4)^2 pairs.
    with pytest.raises(Skipped, match='needs 180000000 GB'):
        attention.measure(attention.Grid(10 ** 4, 10 ** 4), Options(), str)


def test_the_promised_attention_is_measured_by_default() -> None:
    [case] = attention.cases(Options())
    assert case.title == 'attention 120x216 D 256 C 124 fp32'


@pytest.mark.parametrize('compiled', ['off', 'default'])
def test_frozen(model: str, compiled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ways, trace = [], torch.compile  # generating code, too, takes minutes on a CPU

    def traced(way, mode, **how):
        ways.append(way)
        return trace(way, backend='aot_eager', **how)

    monkeypatch.setattr(torch, 'compile', traced)
    setup = frozen.Setup(model, SIZE_PX, 'fp32', compiled)
    rows = by_name(frozen.measure(setup, Options(repeats=1, budget_s=0), str))
    # Plain SegFormer, the backbone, and the head without and with its add-on.
    assert len(ways) == (0 if compiled == 'off' else 4)
    assert rows['pixels that ISS labels alike'].ours > 99.9
    fused = rows['ISS + add-on + fusion']
    assert fused.ours > 0 and fused.theirs > 0 and fused.unit == 'ms'
    assert fused.setting == f'model 64x96 fp32 {"eager" if compiled == "off" else "compiled"}'


def test_what_cannot_be_compiled_is_no_row(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(way, **how):
        raise RuntimeError('no compiler')

    monkeypatch.setattr(torch, 'compile', fails)
    setup = frozen.Setup(model, SIZE_PX, 'fp32', 'default')
    with pytest.raises(Skipped, match='segmenter.compile default failed'):
        frozen.measure(setup, Options(repeats=1, budget_s=0), str)


def test_frozen_in_half_precision(model: str) -> None:
    rows = frozen.measure(frozen.Setup(model, SIZE_PX, 'bf16', 'off'), Options(repeats=1), str)
    assert by_name(rows)['pixels that ISS labels alike'].ours > 90


def test_frozen_measures_every_model_size_and_precision() -> None:
    options = Options(
        dtypes=('fp32', 'bf16'), compiled=('off', 'default'), models=('b2', 'embedded'))
    titles = [case.title for case in frozen.cases(options)]
    assert titles[0] == 'frozen B2 480x853 fp32 eager'
    assert titles[-1] == 'frozen embedded 192x256 bf16 compiled'
    assert len(titles) == 8
    assert sizes_px('embedded', Options(sizes=(SIZE_PX,))) == (SIZE_PX,)


@pytest.mark.parametrize(('name', 'size_px', 'bar'), [
    ('b0', (480, 853), '<= 1.3'), ('B5', (480, 853), '<= 1.15'), ('b2', (1080, 1920), ''),
    ('embedded', (192, 256), ''),
])
def test_what_is_promised_of_the_frozen_phase(name, size_px, bar) -> None:
    assert frozen.Setup(name, size_px, 'fp32', 'off').bar == bar


@pytest.mark.parametrize(('name', 'millions'), [('b0', 3.7), ('b2', 27.4)])
def test_random_models_are_as_large_as_published(name: str, millions: float) -> None:
    # With 150 classes: B0 has 3.8 M parameters, B2 27.5 M (Table 1 of the SegFormer paper).
    network = random_network(name, 150)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.1)


def test_a_random_model_runs_on_the_same_weights_both_ways() -> None:
    made = build('b0', Options(classes=7))
    assert len(made.segmenter.label_set) == 7
    assert made.segmenter.head.classifier.weight.equal(
        made.network.decode_head.classifier.weight)
    assert made.segmenter.backbone is made.network.segformer


def test_a_step_of_the_adaptation(model: str) -> None:
    step, kept = warm_up.measure_step(model, SIZE_PX, Options(repeats=2), str)
    assert step.ratio > 0 and step.against == 'plain SegFormer, one frame'
    # Five passes share one encoding; without the features kept, each encodes four images.
    assert kept.theirs > step.ours and kept.ours < kept.theirs


def test_the_share_of_encoding_by_hand() -> None:
    times = warm_up._with_encoding({'step': [10.0, 20.0], 'encode': [5.0, 1.0]}, passes=5)
    assert times == {'once': [11.0, 20.2], 'each step': [30.0, 24.0]}


def test_the_contrastive_loss() -> None:
    rows = warm_up.measure_contrast(SCENE, Options(repeats=1), str)
    assert [row.unit for row in rows] == ['ms', 'MB', '']
    assert rows[2].met and rows[2].ours < 1e-5
    gradient = warm_up.prepare_full_contrast(SCENE, torch.device('cpu'))()[1:]
    assert gradient.abs().max() > 1e-5, 'a difference of nothing would say nothing'


def test_votes() -> None:
    rows = warm_up.measure_votes(SCENE, Options(repeats=1), str)
    assert rows[1].ours < 1e-6
    label, reliability, masks = warm_up._ballots(SCENE, torch.device('cpu'))
    assert sorted(masks) == [1, 2, 3]
    assert (warm_up.looped_scores(label, reliability, masks, 5) > 0).sum() == 15


def test_the_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, 'FRAMES_TO_FILL', 2)
    monkeypatch.setattr(tracker, 'MANY', 4)
    monkeypatch.setattr(tracker, 'ROUNDS_PER_REPEAT', 2)
    [case] = tracker.cases(Options(repeats=1))
    one, many, growth, alike = case.measure(str)
    assert growth.ours == pytest.approx(many.ours / one.ours)
    assert growth.theirs == pytest.approx(many.theirs / one.theirs)
    assert growth.bar_on == 'ours'
    assert alike.met and alike.name == 'masks alike, mean J of 4 objects'
    assert re.fullmatch(r'embedded \d+ px fp32 eager', one.setting)


def test_mean_jaccard_by_hand() -> None:
    one = torch.tensor([[[[True, True, False]], [[False, False, False]]]])  # [T, N, H, W]
    other = torch.tensor([[[[True, False, True]], [[False, False, False]]]])
    assert tracker.mean_jaccard(list(one), list(other)) == pytest.approx((1 / 3 + 1) / 2)


def test_points_lie_on_a_grid() -> None:
    assert tracker.grid_points(1, (192, 256)) == [(128, 96)]
    assert tracker.grid_points(4, (192, 256)) == [(64, 48), (192, 48), (64, 144), (192, 144)]


def test_configurations_of_sam2_by_name() -> None:
    files = find(Options(tracker_config='sam2.1_hiera_l.yaml'))
    assert files.config.is_file() and files.config.parent.name == 'sam2.1'
    assert (files.checkpoint, files.title) == (None, 'sam2.1_hiera_l')
    with pytest.raises(OptionError, match=r'sam2.1_hiera_t\.yaml.*got .none\.yaml'):
        find(Options(tracker_config='none.yaml'))


def test_several_configurations_of_sam2_are_measured_in_turn() -> None:
    options = Options(tracker_config='sam2.1_hiera_t.yaml, sam2.1_hiera_l.yaml')
    assert [files.title for files in find_all(options)] == ['sam2.1_hiera_t', 'sam2.1_hiera_l']
    assert [case.title for case in tracker.cases(options)] == [
        'tracker sam2.1_hiera_t fp32', 'tracker sam2.1_hiera_l fp32']
    assert [files.title for files in find_all(Options())] == ['embedded']


def test_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, 'SCENE_FRAMES', 3)
    [case] = soak.cases(Options(soak_frames=12))
    tracked, process = case.measure(str)
    assert tracked.ours > tracked.theirs > 0, 'in so few frames the memory still fills'
    assert tracked.met is False
    assert process.ours > 100 and process.against == 'after frame 1'


def test_the_command_writes_table_and_json(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    file = tmp_path / 'rows.json'
    given = ['--rows', 'frozen', '--models', model, '--sizes', '64x96', '--device', 'cpu',
             '--repeats', '1', '--json', str(file)]
    assert command.main(given) == 0
    about = json.loads(file.read_text())
    assert about['command'].startswith('bench --rows frozen')
    assert [row['name'] for row in about['rows']] == [
        'ISS with reliability', 'ISS + add-on + fusion', 'pixels that ISS labels alike']
    out = capsys.readouterr().out
    assert out.startswith('[1/1] frozen model 64x96 fp32 eager\n')
    assert 'ISS + add-on + fusion' in out


def test_saving_needs_a_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(command, 'SOURCE_TREE', tmp_path)
    monkeypatch.setitem(command.CASES, 'soak', lambda options: [])
    given = ['--rows', 'soak', '--device', 'cpu', '--save']
    assert command.main(given) == 2
    assert '--save needs a source tree' in capsys.readouterr().out
    (tmp_path / 'setup.py').touch()
    (tmp_path / 'test' / 'bench').mkdir(parents=True)
    assert command.main(given) == 0
    files = (tmp_path / 'test' / 'bench' / 'results').iterdir()
    assert sorted(file.suffix for file in files) == ['.json', '.txt']


def test_a_case_that_cannot_be_measured_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:
    def short(tick) -> list[Row]:
        raise torch.OutOfMemoryError('no room\nfor it')

    def long(tick) -> list[Row]:
        tick('now')
        raise KeyboardInterrupt

    cases = [Case('big', short), Case('long', long)]
    monkeypatch.setitem(command.CASES, 'soak', lambda options: cases)
    file = tmp_path / 'rows.json'
    assert command.main(['--rows', 'soak', '--device', 'cpu', '--json', str(file)]) == 130
    assert 'not measured: no room' in capsys.readouterr().out
    assert [row['note'] for row in json.loads(file.read_text())['rows']] == [
        'not measured: no room']


@pytest.mark.parametrize('given', [
    ['--rows', 'all'], ['--sizes', '5x5'], ['--rows', 'frozen', '--models', '/no/such/model'],
    ['--rows', 'tracker', '--tracker-config', 'none.yaml'],
    ['--rows', 'tracker', '--tracker-config', 'sam2_hiera_t.yaml', '--tracker-checkpoint', 'x'],
    ['--json', '/no/such/folder/x.json'],
])
def test_what_cannot_work_is_told_in_one_line(
    given: list[str], capsys: pytest.CaptureFixture,
) -> None:
    assert command.main([*given, '--device', 'cpu']) == 2
    assert len(capsys.readouterr().out.splitlines()) == 1
