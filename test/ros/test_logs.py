from __future__ import annotations

import logging

import pytest
from rclpy.logging import LoggingSeverity, get_logger

from ditta_ros.ros.logs import forwarding


def test_records_reach_the_ros_log_at_their_level(capfd: pytest.CaptureFixture) -> None:
    ros = get_logger('forwarded')
    ros.set_level(LoggingSeverity.INFO)
    ours = logging.getLogger('ditta_ros.somewhere')
    with forwarding(ros):
        ours.debug('too fine')
        ours.info('loaded %d classes', 12)
        ours.warning('slow')
        try:
            raise RuntimeError('out of memory')
        except RuntimeError as error:
            ours.error('frame dropped', exc_info=error)
    ours.error('after the node')
    err = capfd.readouterr().err
    assert 'too fine' not in err
    for level, text in (('INFO', 'loaded 12 classes'), ('WARN', 'slow'), ('ERROR', 'frame drop')):
        line, = [line for line in err.splitlines() if text in line]
        assert f'[{level}]' in line
        assert '[forwarded]' in line
    assert 'RuntimeError: out of memory' in err
    assert '[forwarded]: after the node' not in err
