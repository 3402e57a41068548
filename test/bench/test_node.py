"""The node's rows over a few frames; no test asserts a time."""

from __future__ import annotations

import math

import pytest
import torch

from ditta_ros.bench import node
from ditta_ros.bench.options import Options
from ditta_ros.bench.row import Skipped
from ditta_ros.ros.player import Sent

OPTIONS = Options(repeats=1, budget_s=60.0, device=torch.device('cpu'))

pytestmark = pytest.mark.dds


def test_every_size_and_both_rates_are_measured_by_default() -> None:
    assert [case.title for case in node.cases(Options())] == [
        'node overhead 720x1280', 'node overhead 1080x1920', 'node label rate', 'node copies']
    assert min(node.LOADS) < 1 < max(node.LOADS)


def test_rates_by_hand() -> None:
    # Masks at 10.5, 11.0 and 11.5 s: two intervals in a second.
    sent = [Sent(10.0, 10.5), Sent(10.2, None), Sent(10.4, 11.0), Sent(10.6, 11.5)]
    assert node.labels_per_s(sent) == pytest.approx(2.0)
    assert node.waits_s(sent) == pytest.approx([0.5, 0.6, 0.9])
    with pytest.raises(Skipped, match='two masks, got 1 of 2 images'):
        node.labels_per_s(sent[:2])


def test_the_overhead_is_what_is_not_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, 'FRAMES_PER_REPEAT', 4)
    there_and_back, inside = node.measure_overhead((720, 1280), OPTIONS, str)
    assert there_and_back.bar == '<= 3' and there_and_back.bar_on == 'ours'
    assert there_and_back.theirs == inside.theirs > 0
    # Not how much: on a busy machine these few frames say nothing.
    assert math.isfinite(there_and_back.ours) and math.isfinite(inside.ours)


def test_the_rates_of_a_node_that_adapts_and_of_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node, 'FRAMES_PER_REPEAT', 6)
    monkeypatch.setattr(node, 'ADAPTING', {'warm_up.amount': 2.0, 'adaptation.passes': 1})
    monkeypatch.setattr(node, 'LOADS', (0.4,))
    monkeypatch.setattr(node, 'MAX_ADDED_LATENCIES_MS', (5000.0,))
    row, = node.measure_rates(OPTIONS, str)
    assert row.ours > 0 and row.theirs > 0 and row.bar == '>= 0.8'
    assert '(0.4 of the most), max_added_latency_ms 5000: ' in row.setting


def test_how_far_the_adaptation_came() -> None:
    status = {'phase': 'adapt', 'adaptation_steps': 3, 'starved': ''}
    assert node.progress(status) == 'adapt, 3 steps'
    assert node.progress({**status, 'starved': 'why'}) == 'adapt, 3 steps, stands still'


def test_copies() -> None:
    rgb8, bgr8, mask = node.measure_copies((48, 64), str)
    assert rgb8.setting == '48x64 rgb8'
    assert rgb8.ours < bgr8.ours
    assert mask.bar == '<= 1.1'


def test_a_node_that_does_not_start_is_a_case_that_cannot_be_measured() -> None:
    values = {'segmenter.model': '/no/where'}
    with (
        pytest.raises(Skipped, match=r'the node ended with exit code 1'),
        node.playing(values, OPTIONS, str),
    ):
        pytest.fail('there is no such model')


def test_what_is_missing_is_named() -> None:
    missing = ModuleNotFoundError('No module named rclpy', name='rclpy')
    with pytest.raises(Skipped, match='has no rclpy here'), node.needing_rclpy():
        raise missing


def test_a_phase_or_the_budget_ends_a_stream() -> None:
    class Player:
        status = {'phase': 'adapt'}  # noqa: RUF012

    limit = node.Limit(end_s=float('inf'), frames=2, phase='')
    assert [limit.reached(Player()) for _ in range(3)] == [False, False, True]
    limit = node.Limit(end_s=float('inf'), frames=0, phase='frozen')
    assert not any(limit.reached(Player()) for _ in range(9))
    Player.status = {'phase': 'frozen'}
    assert limit.reached(Player())
    limit = node.Limit(end_s=float('inf'), frames=0, phase='frozen')
    assert not any(limit.reached(Player()) for _ in range(node.LEAST_FRAMES))
    assert limit.reached(Player())
    assert node.Limit(end_s=0.0, frames=9, phase='frozen').reached(Player())
