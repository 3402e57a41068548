from __future__ import annotations

import xml.etree.ElementTree
from pathlib import Path

from ditta_ros.ros import dds

PROFILE = Path('/robot/fastdds.xml')
MB = 2**20


def test_the_profile_has_room_for_images() -> None:
    root = xml.etree.ElementTree.parse(dds.profile_path()).getroot()

    def number(tag: str) -> int:
        return int(root.findtext(f'.//{{http://www.eprosima.com}}{tag}') or 0)

    assert number('segment_size') == 64 * MB
    assert number('maxMessageSize') == 16 * MB
    assert number('healthy_check_timeout_ms') == 10_000
    assert number('sendBufferSize') == number('receiveBufferSize') == 4 * MB


def test_each_fast_dds_gets_the_variable_that_it_reads() -> None:
    new, old = 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'
    for environ in ({}, {'ROS_DISTRO': 'kilted'}, {'ROS_DISTRO': 'rolling'}):
        assert dds.profile_environment(PROFILE, environ) == {new: '/robot/fastdds.xml'}
    for distro in ('humble', 'jazzy'):
        assert dds.profile_environment(PROFILE, {'ROS_DISTRO': distro}) == {
            old: '/robot/fastdds.xml'}


def test_a_profile_of_the_user_stays() -> None:
    for name in ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'):
        assert dds.profile_environment(PROFILE, {name: '/mine.xml'}) == {}
        assert dds.process_environment({name: '/mine.xml'}) == {name: '/mine.xml'}


def test_the_mark_of_the_ros_wheels_is_not_handed_on() -> None:
    environ = {'HOME': '/root', '_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1'}
    assert dds.process_environment(environ) == {
        'HOME': '/root', 'FASTDDS_DEFAULT_PROFILES_FILE': str(dds.profile_path())}
    assert '_ROS_WHEELS_BOOTSTRAP_COMPLETE' in environ
