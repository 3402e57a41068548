"""Every service of the node, over DDS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from ditta_ros.ros.messages import to_message
from live_node import Camera, camera_before, given, header, picture, reliable, running_node

WARM_UP_FRAMES = 3


@pytest.fixture(scope='module')
def camera(domain_id: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    """A camera in front of a node that is not configured yet."""
    log = tmp_path_factory.mktemp('services') / 'log.txt'
    values = given(
        'autostart:=false', f'warm_up.amount:={WARM_UP_FRAMES}', 'adaptation.passes:=1',
        'adaptation.held_out_percent:=0.0',
        'tau:=0.6')
    with (
        running_node(log, *values, *reliable()) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        yield camera


@pytest.fixture
def active(camera: Camera) -> Camera:
    """The camera in front of a node that is active."""
    if camera.state() == 'unconfigured':
        assert camera.change_state('configure')
        assert camera.change_state('activate')
        camera.await_node()
    return camera


def ask(camera: Camera, name: str) -> tuple[bool, str]:
    answer = camera.call(name, Trigger.Request())
    return answer.success, answer.message


def show(camera: Camera, first: int, count: int) -> None:
    for index in range(first, first + count):
        camera.show(to_message(picture(index), 'rgb8', header(index)))


def store_in(camera: Camera, path: Path | str) -> None:
    changed = camera.call('set_parameters', SetParameters.Request(
        parameters=[Parameter('checkpoint.path', value=str(path)).to_parameter_msg()]))
    assert changed.results[0].successful, changed.results[0].reason


def adapted(camera: Camera) -> bool:
    return camera.status['phase'] == 'frozen' and camera.status['promoted']


@pytest.mark.parametrize('name', ['warm_up', 'freeze', 'reset', 'save', 'load'])
def test_an_unconfigured_node_says_what_it_needs(camera: Camera, name: str) -> None:
    done, message = ask(camera, name)
    assert not done
    assert message.startswith(f'{name} needs a configured node')


def test_freeze_ends_a_warm_up_and_warm_up_begins_another(active: Camera) -> None:
    show(active, 0, 1)
    assert ask(active, 'freeze') == (True, 'frozen by request before any step of learning')
    active.until(lambda: active.status['phase'] == 'frozen', 'frozen model')
    assert not active.status['promoted']
    done, message = ask(active, 'save')
    assert not done
    assert message.startswith('checkpoint.path must name a file')

    assert ask(active, 'warm_up') == (True, 'a warm-up begins with the next image')
    active.until(lambda: active.status['phase'] == 'warm_up', 'warm-up')
    show(active, 1, WARM_UP_FRAMES)
    active.until(lambda: adapted(active), 'adapted model')
    assert active.status['adaptation_steps'] == WARM_UP_FRAMES


def test_an_adapted_model_is_saved_forgotten_and_loaded(active: Camera, tmp_path: Path) -> None:
    if not adapted(active):  # where this test runs alone
        show(active, 0, WARM_UP_FRAMES)
        active.until(lambda: adapted(active), 'adapted model')
    file = tmp_path / 'front.safetensors'
    store_in(active, file)
    assert ask(active, 'save') == (True, f'saved to {file}')
    learnt, _ = active.show(to_message(picture(9), 'rgb8', header(20)))

    done, message = ask(active, 'reset')
    assert done
    assert message.startswith('warming up')
    active.until(lambda: active.status['model'] == 'iss', 'plain SegFormer')

    assert ask(active, 'load') == (True, f'loaded from {file}')
    active.until(lambda: adapted(active), 'loaded model')
    again, _ = active.show(to_message(picture(9), 'rgb8', header(21)))
    # The first frame after loading has no predecessor, the other had one: nearly all labels.
    same = sum(a == b for a, b in zip(again.data, learnt.data, strict=True)) / len(learnt.data)
    assert same > 0.95


def test_a_file_that_cannot_be_used_leaves_the_model_in_force(
    active: Camera, tmp_path: Path,
) -> None:
    before, count = active.status['model'], active.status['frames_labelled']
    file = tmp_path / 'broken.safetensors'
    file.write_bytes(b'no tensors')
    store_in(active, file)
    done, message = ask(active, 'load')
    assert not done
    assert str(file) in message
    index = 30
    while active.status['frames_labelled'] < count + 5:  # or the status is one from before
        show(active, index, 1)
        index += 1
    assert active.status['model'] == before
