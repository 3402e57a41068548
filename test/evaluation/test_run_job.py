"""One job from source to outcome, with the embedded models on short streams."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.progress import Progress

from ditta_ros.demo.world import NAMES, PALETTE
from ditta_ros.evaluation.bags import bag_source
from ditta_ros.evaluation.make_bag import write_bag
from ditta_ros.evaluation.outcome import MASK_TOPIC, Job, Outcome, Run
from ditta_ros.evaluation.run_job import run_job
from ditta_ros.evaluation.source import SourceError
from ditta_ros.evaluation.sources import open_source
from ditta_ros.evaluation.streams import score
from ditta_ros.labels import UNLABELLED
from ditta_ros.opening import open_session
from ditta_ros.settings import from_flat
from evaluations import VALUES, WORLD, numbers


def run(folder: Path, method: str = 'ditta', warm_up: str = '25%', source: str = WORLD,
        live_rate_hz: float | None = None) -> tuple[Outcome, list[tuple[str, int, int | None]]]:
    """Do a job; return its outcome and all that it told."""
    told: list[tuple[str, int, int | None]] = []
    job = Job(source, method, warm_up, values=VALUES, live_rate_hz=live_rate_hz)
    return run_job(job, Run(()), folder, lambda *what: told.append(what)), told


@functools.cache
def alone(warm_up_frames: int):
    """The scores of a session that is driven by hand."""
    session = open_session(from_flat({**VALUES, 'warm_up.amount': float(warm_up_frames)}))
    return score(session, open_source(WORLD), warm_up_frames or 2)


def test_scores_are_those_of_a_session(tmp_path: Path) -> None:
    adapted, told = run(tmp_path)
    assert str(adapted.scores) == str(alone(2))
    assert (adapted.frames, adapted.labelled, adapted.dropped) == (8, 8, 0)
    assert (adapted.warm_up_frames, adapted.evaluated, adapted.steps) == (2, 6, 2)
    assert adapted.promoted and adapted.objects > 0
    assert [index for index, _ in adapted.miou_of_frame] == list(range(8))
    assert {each.phase: each.frames for each in adapted.latencies} == {'warm_up': 2, 'frozen': 6}
    assert adapted.adaptation_s > 0 and adapted.peak_memory_mb > 0
    assert told == [
        ('warming up', 1, 8), ('warming up', 2, 8), ('learning', 0, 2), ('learning', 1, 2),
        ('learning', 2, 2), *(('labelling', index, 8) for index in range(3, 9))]


def test_the_plain_model_is_scored_on_the_same_frames(tmp_path: Path) -> None:
    plain, _ = run(tmp_path, 'iss')
    assert str(plain.scores) == str(alone(0))
    assert (plain.warm_up_frames, plain.evaluated) == (2, 6)
    assert (plain.agreement_with_iss, plain.adaptation_s, plain.promoted) == (1.0, 0.0, False)


def test_agreement_is_counted_against_the_plain_masks(tmp_path: Path) -> None:
    adapted, _ = run(tmp_path)
    plain, _ = run(tmp_path, 'iss')
    masks = [
        [frame.rgb[:, :, 0] for frame in bag_source(tmp_path / outcome.job.key, MASK_TOPIC)]
        for outcome in (adapted, plain)]
    same = [np.mean(one == other) for one, other in zip(*masks, strict=True)]
    assert len(same) == 8 and same[:2] == [1.0, 1.0]  # the plain model labels the warm-up
    assert adapted.agreement_with_iss == pytest.approx(np.mean(same[2:]))
    assert adapted.agreement_with_iss < 1


def test_masks_have_the_stamps_of_their_frames(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, 'iss')
    masks = list(bag_source(tmp_path / outcome.job.key, MASK_TOPIC))
    frames = list(open_source(WORLD))
    assert [mask.stamp_ns for mask in masks] == [frame.stamp_ns for frame in frames]
    assert masks[0].rgb.shape == frames[0].rgb.shape


def test_full_labels_all_frames_with_what_all_have_taught(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, warm_up='full')
    assert (outcome.frames, outcome.labelled, outcome.warm_up_frames) == (8, 8, 8)
    assert (outcome.evaluated, outcome.steps) == (8, 8)
    assert {each.phase: each.frames for each in outcome.latencies} == {'warm_up': 8, 'frozen': 8}
    assert len(list(bag_source(tmp_path / outcome.job.key, MASK_TOPIC))) == 8
    plain, told = run(tmp_path, 'iss', 'full')
    assert plain.evaluated == 8
    assert [done for _, done, _ in told] == list(range(1, 9))  # it needs no first pass


def test_a_bag_and_a_folder_of_the_same_frames_give_the_same_numbers(tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        write_bag(open_source(WORLD), tmp_path / 'bag', progress)
    for part in ('images', 'labels'):
        (tmp_path / 'folder' / part).mkdir(parents=True)
    for index, frame in enumerate(open_source(WORLD)):
        name = f'{index:03}.png'
        cv2.imwrite(str(tmp_path / 'folder' / 'images' / name), frame.rgb[:, :, ::-1])
        cv2.imwrite(str(tmp_path / 'folder' / 'labels' / name), frame.label)
    world, bag, folder = (
        numbers(run(tmp_path, source=source)[0])
        for source in (WORLD, str(tmp_path / 'bag'), str(tmp_path / 'folder')))
    assert bag == folder == world


def test_live_drops_what_comes_while_the_method_is_busy(tmp_path: Path) -> None:
    quick, _ = run(tmp_path, 'iss', live_rate_hz=1e-3)
    assert (quick.labelled, quick.dropped) == (8, 0)
    assert numbers(quick) == numbers(run(tmp_path, 'iss')[0])
    slow, _ = run(tmp_path, 'iss', live_rate_hz=1000.0)
    assert slow.labelled < 8 and slow.labelled + slow.dropped == 8 == slow.frames
    assert slow.warm_up_frames == 2
    assert len(list(bag_source(tmp_path / slow.job.key, MASK_TOPIC))) == slow.labelled


def test_truth_is_not_needed(tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    for index, frame in enumerate(open_source(WORLD)):
        cv2.imwrite(str(tmp_path / 'images' / f'{index}.png'), frame.rgb[:, :, ::-1])
    outcome, _ = run(tmp_path, 'iss', source=str(tmp_path / 'images'))
    assert outcome.evaluated == 0 and outcome.miou_of_frame == ()
    assert str(outcome.scores.miou) == 'nan' and outcome.scores.flicker == alone(0).flicker


@pytest.mark.parametrize('method', ['iss', 'ditta'])
def test_a_mapping_leaves_out_the_classes_that_it_does_not_evaluate(
    method: str, tmp_path: Path,
) -> None:
    others = [name for name in NAMES if name != 'sign']
    (tmp_path / 'labels.yaml').write_text(''.join(
        f'{name}: {rgb}\n' for name, rgb in zip(NAMES, PALETTE.tolist(), strict=True)))
    (tmp_path / 'mapping.yaml').write_text('target: labels.yaml\nclasses:\n' + ''.join(
        f'  {name}: [{name}]\n' for name in others))
    job = Job(WORLD, method, '25%', values=VALUES)
    outcome = run_job(job, Run((), mapping=str(tmp_path / 'mapping.yaml')), tmp_path, print)
    sign = NAMES.index('sign')
    assert outcome.class_names == NAMES and outcome.truth_as[sign] == UNLABELLED
    assert [name for name, iou in zip(NAMES, outcome.scores.class_iou, strict=True)
            if math.isnan(iou)] == ['sign']
    for mask in bag_source(tmp_path / job.key, MASK_TOPIC):
        assert not (mask.rgb == sign).any()


@pytest.mark.parametrize('warm_up', ['8 frames', '100 s'])
def test_a_warm_up_that_leaves_nothing_to_score(warm_up: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f'a warm-up of {warm_up} leaves no frame of 8 to score'):
        run(tmp_path, 'iss', warm_up)


def test_frames_that_are_too_small(tmp_path: Path) -> None:
    (tmp_path / 'images').mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / 'images' / f'{index}.png'), np.zeros((24, 48, 3), np.uint8))
    with pytest.raises(SourceError, match='at least 32 px on each side, got 48x24'):
        run(tmp_path, 'iss', source=str(tmp_path / 'images'))


def test_what_a_lost_worker_has_left_is_done_again(tmp_path: Path) -> None:
    job = Job(WORLD, 'iss', '25%', values=VALUES)
    (tmp_path / job.key).mkdir()
    (tmp_path / job.key / 'half.mcap').write_bytes(b'')
    outcome, _ = run(tmp_path, 'iss')
    assert len(list(bag_source(tmp_path / outcome.job.key, MASK_TOPIC))) == 8
