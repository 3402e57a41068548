"""Stamps of messages in nanoseconds, whichever library read the message."""

from __future__ import annotations

from typing import Any


def nanoseconds(stamp: Any) -> int:
    """Return a builtin_interfaces Time, of rclpy or rosbags, in nanoseconds since its epoch.

    Not by rclpy's Time, which raises for a stamp before 1970: odd, but says when as well.
    """
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)
