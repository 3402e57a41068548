"""Training clips: what is clicked belongs to what is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ditta_ros.demo.train.clips import _pick_objects, draw_batch
from ditta_ros.demo.train.pool import Pool, render
from ditta_ros.demo.world import World

SIZE_PX = 96


@pytest.fixture(scope='module')
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """Two clips, with a reliability that is highest on one known pixel of each instance."""
    made = render(tmp_path_factory.mktemp('pool'), 2, 1, lambda done: None)
    reliability = np.zeros_like(made.reliability)
    for clip in range(2):
        for position, instance in enumerate(made.instance[clip]):
            reliability[clip, position] = 100
            for number in np.unique(instance):
                rows, columns = np.nonzero(instance == number)
                middle = len(rows) // 2
                y, x = rows[middle], columns[middle]
                reliability[clip, position, max(y - 2, 0):y + 3, max(x - 2, 0):x + 3] = 255
    return Pool(made.rgb, made.semantic, made.instance, made.depth_m, reliability)


def test_the_pool_is_the_world_it_was_rendered_from(tmp_path: Path) -> None:
    first = render(tmp_path / 'a', 1, 1, lambda done: None)
    again = render(tmp_path / 'b', 1, 1, lambda done: None)
    assert np.array_equal(first.rgb, again.rgb)
    assert first.rgb.shape == (1, 6, 192, 256, 3)
    world = World(100_000)
    known = {item.instance for item in world.items} | {1, 2, 3, 4}
    assert set(np.unique(first.instance).tolist()) <= known
    assert len(np.unique(first.semantic)) >= 8


@pytest.mark.parametrize('frames', [1, 3])
def test_a_batch_has_clicks_on_its_objects(pool: Pool, frames: int) -> None:
    for seed in range(4):
        batch = draw_batch(pool, np.random.default_rng(seed), 2, frames, 3, SIZE_PX)
        assert batch.pixels.shape == (2 * frames, 3, SIZE_PX, SIZE_PX)
        assert batch.masks.shape == (6, frames, SIZE_PX, SIZE_PX)
        assert batch.semantic.shape == (2 * frames, SIZE_PX // 4, SIZE_PX // 4)
        assert batch.clip.tolist() == [0, 0, 0, 1, 1, 1]
        for mask, (x, y) in zip(batch.masks, batch.click.tolist(), strict=True):
            assert mask[0, int(y), int(x)]
            assert mask[0].sum() > 0.0025 * SIZE_PX ** 2


def test_the_same_step_draws_the_same_batch(pool: Pool) -> None:
    one, same, other = (
        draw_batch(pool, np.random.default_rng(seed), 1, 2, 2, SIZE_PX) for seed in (5, 5, 6))
    assert one.pixels.equal(same.pixels)
    assert one.click.equal(same.click)
    assert not one.pixels.equal(other.pixels)


def test_by_class_prompts_rare_classes_as_often_as_large_ones() -> None:
    """One huge and three small objects of one class, one small object of another."""
    instance = np.ones((40, 60), np.uint8)
    semantic = np.zeros_like(instance)
    for number in (2, 3, 4, 5):
        instance[:8, 10 * number:10 * number + 8] = number
    semantic[instance == 5] = 1
    rng = np.random.default_rng(0)
    picked = [int(_pick_objects(instance, semantic, rng, 1, .0025)[0]) for _ in range(400)]
    assert picked.count(5) == pytest.approx(200, abs=40)
    by_area = [int(_pick_objects(instance, None, rng, 1, .0025)[0]) for _ in range(400)]
    assert by_area.count(5) < 100


def test_small_objects_are_asked_for_only_where_wanted() -> None:
    instance = np.zeros((20, 40), np.uint8)
    instance[:, 20:] = 1
    instance[4:6, 5:9] = 2  # 8 of 800 pixels
    rng = np.random.default_rng(0)
    seen = [set(np.unique([_pick_objects(instance, None, rng, 1, least) for _ in range(60)]))
            for least in (.005, .02)]
    assert seen == [{0, 1, 2}, {0, 1}]
