"""What the tests over DDS share: a domain and a Fast DDS profile of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context

from ditta_ros.ros import dds


@pytest.fixture(scope='session', autouse=True)
def domain_id() -> Iterator[int]:
    """Put this process and its children into a domain of their own, with the profile."""
    with pytest.MonkeyPatch.context() as patch:
        domain = 1 + os.getpid() % 100  # up to 101 is free on every platform
        patch.setenv('ROS_DOMAIN_ID', str(domain))
        for name, value in dds.profile_environment(dds.profile_path(), os.environ).items():
            patch.setenv(name, value)
        yield domain


@pytest.fixture
def context(domain_id: int) -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context, domain_id=domain_id)
    yield context
    context.try_shutdown()
