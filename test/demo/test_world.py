"""The demo world: a pure function of seed and time whose truth fits its geometry."""

import dataclasses

import numpy as np
import pytest

from ditta_ros.demo.scene import Camera
from ditta_ros.demo.shapes import PERSON, SIGN, Item
from ditta_ros.demo.shifts import Shift
from ditta_ros.demo.world import FAR_M, NAMES, PALETTE, World, WorldFrame, stream

SMALL_PX = (96, 160)


def same(a: WorldFrame, b: WorldFrame) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name))
               for name in ('rgb', 'semantic', 'instance', 'depth_m'))


def plate(**given) -> Item:
    """Return a 1 m square sign that stands 1 m above the ground at x = 0, z = 8 m."""
    usual = {'kind': SIGN, 'instance': 10, 'x_m': 0.0, 'z_m': 8.0, 'width_m': 1.0,
             'height_m': 1.0, 'palette': np.ones((4, 3), np.float32), 'base_m': 1.0, 'variant': 2}
    return Item(**(usual | given))


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a mask, ends excluded."""
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def test_a_palette_colour_for_each_of_the_twelve_names():
    assert NAMES == ('sky', 'road', 'sidewalk', 'grass', 'building', 'tree', 'fence', 'pole',
                     'sign', 'person', 'bicycle', 'vehicle')
    assert PALETTE.shape == (12, 3)
    assert PALETTE.dtype == np.uint8
    assert len(np.unique(PALETTE, axis=0)) == 12


@pytest.mark.parametrize('size_px', [(192, 256), SMALL_PX])
def test_frame_has_the_documented_arrays(size_px):
    frame = World(1, size_px).frame(.5)
    assert frame.rgb.shape == (*size_px, 3)
    assert frame.semantic.shape == frame.instance.shape == frame.depth_m.shape == size_px
    assert [a.dtype for a in (frame.rgb, frame.semantic, frame.instance, frame.depth_m)] == [
        np.uint8, np.uint8, np.uint16, np.float32]
    assert frame.rgb.std() > 20  # a picture, neither black nor overexposed


def test_frame_depends_on_seed_and_time_alone():
    world = World(5, SMALL_PX)
    first = world.frame(2.0)
    world.frame(7.0)
    assert same(world.frame(2.0), first)
    assert same(World(5, SMALL_PX).frame(2.0), first)
    assert not same(World(5, SMALL_PX).frame(2.1), first)
    assert not same(World(6, SMALL_PX).frame(2.0), first)


def test_painting_order_does_not_matter():
    world = World(3, SMALL_PX)
    frame = world.frame(1.0)
    world.items = world.items[::-1]
    turned = world.frame(1.0)
    assert np.array_equal(turned.instance, frame.instance)
    assert np.array_equal(turned.semantic, frame.semantic)
    assert np.array_equal(turned.depth_m, frame.depth_m)


def test_an_instance_has_one_class_in_every_frame():
    world = World(2, SMALL_PX)
    kinds: dict[int, set[int]] = {}
    for time_s in (0.0, 3.0, 6.0):
        frame = world.frame(time_s)
        pairs = np.stack([frame.instance.ravel(), frame.semantic.ravel()])
        for instance, kind in np.unique(pairs, axis=1).T:
            kinds.setdefault(int(instance), set()).add(int(kind))
    assert 0 not in kinds
    assert all(len(kind) == 1 for kind in kinds.values())
    assert {number: kinds[number] for number in (1, 2, 3)} == {1: {0}, 2: {1}, 3: {2}}
    drawn = {item.instance: {item.kind} for item in world.items}
    objects = {number: kind for number, kind in kinds.items() if number >= 10}
    assert len(objects) > 10
    assert all(drawn[number] == kind for number, kind in objects.items())


def test_a_plate_is_where_the_pinhole_camera_puts_it():
    world = World(4)
    camera, pose = world.camera, world.camera.pose(1.5)
    world.items = (plate(x_m=pose.x_m + .5, z_m=pose.z_m + 8.0),)
    frame = world.frame(1.5)
    seen = frame.instance == 10
    scale = camera.focal_px / 8.0  # px in a metre at 8 m
    expected = (pose.horizon_px + (camera.height_m - 2.0) * scale,
                pose.horizon_px + (camera.height_m - 1.0) * scale,
                128 - pose.pan_px, 128 - pose.pan_px + scale)
    assert np.abs(np.subtract(box_of(seen), expected)).max() <= 1
    assert np.all(frame.depth_m[seen] == np.float32(8.0))
    assert np.all(frame.semantic[seen] == SIGN)


def test_ground_depth_follows_the_row_and_the_sky_is_far():
    world = World(4)
    world.items = ()
    frame, pose = world.frame(0.0), world.camera.pose(0.0)
    expected_m = world.camera.focal_px * world.camera.height_m / (191.5 - pose.horizon_px)
    assert frame.depth_m[191] == pytest.approx(expected_m, rel=1e-5)
    assert np.all(np.diff(frame.depth_m[100:192, 0]) < 0)
    assert np.all(frame.semantic[:60] == 0)
    assert np.all(frame.depth_m[frame.semantic == 0] == FAR_M)
    assert np.all(frame.semantic[191] > 0)


def test_the_nearer_object_hides_the_farther_one():
    world = World(4)
    pose = world.camera.pose(0.0)
    near = plate(x_m=pose.x_m, z_m=pose.z_m + 6.0, width_m=.5, height_m=.5, base_m=1.2)
    far = plate(x_m=pose.x_m, z_m=pose.z_m + 9.0, instance=11)
    world.items = (near,)
    alone = world.frame(0.0).instance == 10
    world.items = (far, near)
    frame = world.frame(0.0)
    assert alone.sum() > 100
    assert np.array_equal(frame.instance == 10, alone)
    assert (frame.instance == 11).sum() > 100


def test_what_is_too_small_to_name_is_neither_drawn_nor_labelled():
    world = World(4)
    pose = world.camera.pose(0.0)
    person = plate(kind=PERSON, x_m=pose.x_m, base_m=0.0, width_m=.7, height_m=1.7,
                   palette=np.ones((6, 3), np.float32))
    limit_m = world.camera.focal_px * .7 / 6  # 6 px wide
    for depth_m, seen in ((limit_m * .95, True), (limit_m * 1.05, False)):
        world.items = (dataclasses.replace(person, z_m=pose.z_m + depth_m),)
        assert (PERSON in world.frame(0.0).semantic) == seen


def test_a_moving_item_comes_back_at_the_other_end():
    item = plate(x_m=9.0, speed_mps=2.0, reach_m=10.0)
    assert item.x_at(0.0) == pytest.approx(9.0)
    assert item.x_at(1.0) == pytest.approx(-9.0)
    assert plate(x_m=9.0).x_at(1.0) == 9.0


@pytest.mark.parametrize('seed', range(6))
def test_the_camera_stops_before_it_reaches_anything(seed):
    world = World(seed, SMALL_PX)
    rest_m = world.camera.pose(1e4).z_m
    assert rest_m > 1
    assert min(item.z_m for item in world.items) - rest_m > 2.4


def test_the_view_moves_a_few_pixels_a_frame():
    camera = Camera.draw(np.random.default_rng(8), (192, 256))
    pan = np.diff([camera.pose(i / 10).pan_px for i in range(90)])
    assert 0.1 < np.abs(pan).max() < 6


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_every_class_appears_in_a_stream(seed):
    world = World(seed)
    seen = np.zeros(len(NAMES), bool)
    for time_s in (0.0, 1.0, 2.0, 4.0, 6.0):
        counts = np.bincount(world.frame(time_s).semantic.ravel(), minlength=len(NAMES))
        seen |= counts > 30
    assert [name for name, there in zip(NAMES, seen, strict=True) if not there] == []


def test_stream_gives_the_frames_of_its_rate():
    frames = list(stream(7, 3, rate_hz=4.0, size_px=SMALL_PX))
    world = World(7, SMALL_PX)
    assert len(frames) == 3
    assert all(same(frame, world.frame(i / 4)) for i, frame in enumerate(frames))


def test_a_shift_changes_the_pictures_and_not_the_truth():
    clean = list(stream(7, 2, size_px=SMALL_PX))
    noisy = list(stream(7, 2, shift=Shift('noise', .5), size_px=SMALL_PX))
    again = list(stream(7, 2, shift=Shift('noise', .5), size_px=SMALL_PX))
    for a, b, c in zip(clean, noisy, again, strict=True):
        assert not np.array_equal(a.rgb, b.rgb)
        assert np.array_equal(a.semantic, b.semantic)
        assert np.array_equal(a.instance, b.instance)
        assert np.array_equal(a.depth_m, b.depth_m)
        assert same(b, c)
