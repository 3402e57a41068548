"""Every lifecycle transition of the real node, over its services."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ditta_ros.ros.messages import to_message
from live_node import Camera, camera_before, given, header, picture, reliable, running_node
from random_models import save_random_segformer

STEPS = ('configure', 'activate', 'deactivate', 'cleanup')
CYCLES, SETTLED = 50, 10
# Loading the models again takes what loading them before has freed; after a cycle with images the
# allocator has kept up to 60 MB in pieces.  One set of models left behind in each cycle were
# 17 MB, 680 in all.
MOST_GROWTH_MB = 100


@contextmanager
def waiting_node(log: Path, domain_id: int, *values: str) -> Iterator[tuple[Camera, int]]:
    """Run a node that does not start by itself; yield a camera before it and its process id."""
    arguments = given('autostart:=false', 'segmenter.device:=cpu', *values)
    with (
        running_node(log, *arguments, *reliable()) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        yield camera, process.pid


def assert_labels(camera: Camera, index: int = 0) -> None:
    camera.await_node()
    mask, _ = camera.show(to_message(picture(index), 'rgb8', header(index)))
    assert mask.header == header(index)


def footprint(pid: int) -> tuple[float, int]:
    """Return memory in MB and the number of threads of a process."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    fields = {name: value.split() for name, value in (line.split(':', 1) for line in lines)}
    return int(fields['VmRSS'][0]) / 1024, int(fields['Threads'][0])


def test_each_transition_goes_where_it_should_and_from_nowhere_else(
    tmp_path: Path, domain_id: int,
) -> None:
    walk = (
        ('configure', 'inactive'), ('activate', 'active'), ('deactivate', 'inactive'),
        ('activate', 'active'), ('deactivate', 'inactive'), ('cleanup', 'unconfigured'),
        ('configure', 'inactive'))
    allowed = {'unconfigured': {'configure'}, 'inactive': {'activate', 'cleanup'},
               'active': {'deactivate'}}
    with waiting_node(tmp_path / 'log.txt', domain_id, 'warm_up.amount:=0') as (camera, _):
        state = 'unconfigured'
        for transition, next_state in walk:
            assert camera.state() == state
            for other in sorted({*STEPS} - allowed[state]):
                assert not camera.change_state(other), f'{other} while {state}'
                assert camera.state() == state
            assert camera.change_state(transition), f'{transition} while {state}'
            state = next_state
            if state == 'active':
                assert_labels(camera)
        assert_shuts_down(camera, 'inactive')


def assert_shuts_down(camera: Camera, state: str) -> None:
    """From ``state`` it is shut down for good."""
    assert camera.state() == state
    assert camera.change_state(f'{state}_shutdown')
    assert camera.state() == 'finalized'
    camera.until(lambda: camera.publisher.get_subscription_count() == 0, 'end of listening')
    for transition in STEPS:
        assert not camera.change_state(transition)
    assert camera.state() == 'finalized'


def test_fifty_times_around_and_nothing_is_left_behind(tmp_path: Path, domain_id: int) -> None:
    settled = last = (0.0, 0)
    with waiting_node(tmp_path / 'log.txt', domain_id, 'warm_up.amount:=5') as (camera, pid):
        for cycle in range(1, CYCLES + 1):
            for transition in ('configure', 'activate'):
                assert camera.change_state(transition), (cycle, transition)
            if cycle in (1, CYCLES):
                for index in range(3):
                    assert_labels(camera, index)
                camera.until(
                    lambda: camera.status.get('frames_received') == 3, 'count of this cycle')
            for transition in ('deactivate', 'cleanup'):
                assert camera.change_state(transition), (cycle, transition)
            camera.until(
                lambda: camera.publisher.get_subscription_count() == 0, 'end of listening')
            last = footprint(pid)
            settled = last if cycle == SETTLED else settled
        assert last[0] < settled[0] + MOST_GROWTH_MB
        assert last[1] <= settled[1]
        camera.until(lambda: camera.status['phase'] == 'unconfigured', 'status without models')
        assert_shuts_down(camera, 'unconfigured')


def test_configure_fails_without_its_model_and_goes_well_when_it_is_there(
    tmp_path: Path, domain_id: int,
) -> None:
    log, model = tmp_path / 'log.txt', tmp_path / 'model'
    values = (f'segmenter.model:={model}', 'warm_up.amount:=0')
    with waiting_node(log, domain_id, *values) as (camera, _):
        assert not camera.change_state('configure')
        assert camera.state() == 'unconfigured'
        line, = [line for line in log.read_text().splitlines() if 'configure failed' in line]
        assert 'segmenter.model' in line
        assert str(model) in line
        assert camera.publisher.get_subscription_count() == 0
        # The path itself is read at start, so it is what lies there that can be mended.
        save_random_segformer(model)
        assert camera.change_state('configure')
        assert camera.change_state('activate')
        assert_labels(camera)
        assert_shuts_down(camera, 'active')
