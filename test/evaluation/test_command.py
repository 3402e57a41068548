"""Options and what they plan; faults of the input are one line and the exit code 2."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ditta_ros.evaluation.__main__ import main
from ditta_ros.evaluation.command import OptionError, Plan, parser, read
from ditta_ros.evaluation.engines import EngineOptions
from ditta_ros.evaluation.outcome import RUN_FILE, Job, write_run

WORLD = 'world:seed=21,frames=8'


def plan(*arguments: str) -> Plan:
    return read(parser().parse_args(arguments), arguments)


def test_defaults() -> None:
    made = plan(WORLD)
    assert made.run.jobs == (Job(WORLD, 'iss', '10%'), Job(WORLD, 'ditta', '10%'))
    assert made.run.command == f'evaluate {WORLD}'
    assert made.run.started_utc.endswith('+00:00')
    assert made.engine == EngineOptions('local', 2, 0.0)
    assert made.folder.name.startswith('evaluation_20')
    assert not made.resume and not made.bags


def test_everything(tmp_path: Path) -> None:
    mapping = tmp_path / 'mapping.yaml'
    mapping.touch()
    made = plan(
        WORLD, 'world', '--methods', 'ditta, tent', '--warmup', '25%,full,30 frames', '--seeds',
        '3, 4', '--live', '10', '--segmenter', 'b5', '--tracker', 'tiny.yaml',
        '--tracker-checkpoint', 'tiny.pt', '--mapping', str(mapping), '--set', 'tau=0.7',
        '--ablate', 'lambda_area=0.1:0.3:0.1', '--topic', '/left', '--truth-topic', '/truth',
        '--out', str(tmp_path), '--engine', 'ray', '--processes', '4', '--gpus-per-task', '0.5',
        '--bag')
    assert len(made.run.jobs) == 2 * 2 * 3 * 2 * (1 + 3)
    assert made.run.jobs[1] == Job(
        WORLD, 'ditta', '25%', 3, {
            'tau': .7, 'segmenter.model': 'b5', 'tracker.config': 'tiny.yaml',
            'tracker.checkpoint': 'tiny.pt', 'targets.lambda_area': .1},
        'targets.lambda_area=0.1', 10.0)
    assert (made.run.topic, made.run.truth_topic) == ('/left', '/truth')
    assert made.run.mapping == str(mapping)
    assert (made.folder, made.engine) == (tmp_path, EngineOptions('ray', 4, 0.5))
    assert made.bags


def test_live_jobs_do_not_take_each_others_time() -> None:
    assert plan(WORLD, '--live', '10').engine.processes == 1
    assert plan(WORLD, '--live', '10', '--processes', '3').engine.processes == 3


def test_a_run_is_gone_on_with_as_it_was_planned(tmp_path: Path) -> None:
    before = plan(WORLD, '--topic', '/left', '--out', str(tmp_path)).run
    write_run(before, tmp_path)
    made = plan('--resume', '--out', str(tmp_path))
    assert made.run == before and made.resume
    more = plan(WORLD, '--methods', 'ditta,tent', '--topic', '/left', '--resume', '--out',
                str(tmp_path))
    assert [job.method for job in more.run.jobs] == ['iss', 'ditta', 'tent']
    with pytest.raises(OptionError, match="--topic must stay as it was .* '/left', got '/right'"):
        plan(WORLD, '--topic', '/right', '--resume', '--out', str(tmp_path))
    with pytest.raises(OptionError, match='holds a run already: add --resume'):
        plan(WORLD, '--out', str(tmp_path))


@pytest.mark.parametrize(('arguments', 'says'), [
    ([], 'evaluate needs a SOURCE, got none'),
    (['nowhere.mp4'], 'nowhere.mp4: no such file or folder'),
    (['world:sed=7'], "got 'sed=7'"),
    ([WORLD, '--methods', 'iss,magic'], "--methods must be of iss, ditta, .* got 'magic'"),
    ([WORLD, '--warmup', '10'], "--warmup takes a share such as 10% .* got '10'"),
    ([WORLD, '--seeds', '-1'], "--seeds takes whole numbers from 0, got '-1'"),
    ([WORLD, '--live', '0'], '--live must be above 0'),
    ([WORLD, '--processes', '0'], '--processes must be 1 to 1024, got 0'),
    ([WORLD, '--gpus-per-task', '-1'], '--gpus-per-task must be 0 to 64, got -1'),
    ([WORLD, '--set', 'tau=2'], 'tau must be <= 1'),
    ([WORLD, '--ablate', 'tau'], '--ablate takes'),
    ([WORLD, '--tracker-checkpoint', 'x.pt'], '--tracker-checkpoint needs --tracker'),
    ([WORLD, '--mapping', 'none.yaml'], "--mapping must be a file, got 'none.yaml'"),
    ([WORLD, '--resume'], '--resume needs --out'),
    ([WORLD, '--resume', '--out', 'nowhere'], f'--resume needs a folder with a {RUN_FILE}'),
    ([WORLD, '--out', '/dev/null/x'], '--out /dev/null/x: cannot be written'),
])
def test_input_that_does_not_work(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    shown = capsys.readouterr().out
    assert shown.count('\n') == 1
    assert re.search(says, shown)
    assert not list(tmp_path.iterdir())




def test_true_labels_are_in_the_models_own_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture,
) -> None:
    mapping = tmp_path / 'mapping.yaml'
    mapping.touch()
    assert main([WORLD, '--methods', 'true_labels', '--mapping', str(mapping)]) == 2
    assert "learns truth in the model's own classes" in capsys.readouterr().out
