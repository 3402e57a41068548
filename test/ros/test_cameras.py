from __future__ import annotations

import pytest

from ditta_ros.ros.cameras import (
    CameraError,
    camera_info_beside,
    camera_names,
    check_relative,
    join,
)


@pytest.mark.parametrize(('text', 'names'), [
    ('', []),
    ('  ', []),
    ('front', ['front']),
    ('front,left,right', ['front', 'left', 'right']),
    (' front , _rear2 ', ['front', '_rear2']),
])
def test_cameras_are_names_with_commas_between(text: str, names: list[str]) -> None:
    assert camera_names(text) == names


@pytest.mark.parametrize('name', ['', '1st', 'a-b', 'a/b', '/a', 'a b', 'ü', '~', '{a}'])
def test_what_cannot_be_a_namespace_is_refused(name: str) -> None:
    with pytest.raises(CameraError, match='cameras must be names') as raised:
        camera_names(f'front,{name}')
    assert f'got {name!r}' in str(raised.value)
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('name', ['front', '_rear2', 'A_1', '1st', 'a-b', 'a__b', 'a b', 'ü'])
def test_ros_itself_agrees(name: str) -> None:
    validation = pytest.importorskip('rclpy.validate_namespace', reason='needs rclpy')
    exceptions = pytest.importorskip('rclpy.exceptions', reason='needs rclpy')
    try:
        camera_names(name)
        ours = True
    except CameraError:
        ours = False
    try:
        theirs = validation.validate_namespace(f'/{name}')
    except exceptions.InvalidNamespaceException:
        theirs = False
    assert ours == theirs


def test_a_camera_that_comes_twice_is_refused() -> None:
    with pytest.raises(CameraError, match='must differ, got left twice'):
        camera_names('left,front,left')


def test_topics_of_several_cameras_are_relative() -> None:
    check_relative({'image': 'image_raw', 'depth': 'depth/image'})
    with pytest.raises(CameraError, match="depth must be relative .* got '/depth/image'.*"
                                          'depth:=image'):
        check_relative({'image': 'image_raw', 'depth': '/depth/image'})


@pytest.mark.parametrize(('namespace', 'camera', 'joined'), [
    ('', 'front', 'front'),
    ('robot', 'front', 'robot/front'),
    ('/robot/', 'front', '/robot/front'),
    ('/', 'front', '/front'),
])
def test_a_camera_has_its_namespace_within_the_given_one(
    namespace: str, camera: str, joined: str,
) -> None:
    assert join(namespace, camera) == joined


@pytest.mark.parametrize(('image', 'camera_info'), [
    ('image', 'camera_info'),
    ('/image_raw', '/camera_info'),
    ('/camera/color/image_raw', '/camera/color/camera_info'),
    ('rgb/image', 'rgb/camera_info'),
])
def test_the_camera_info_lies_beside_the_image(image: str, camera_info: str) -> None:
    assert camera_info_beside(image) == camera_info
