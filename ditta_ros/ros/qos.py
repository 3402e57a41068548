"""QoS profiles, and the naming of publishers that they cannot receive."""

from __future__ import annotations

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

# Sensor data: a camera image lost is not worth waiting for.
IMAGE_IN = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
IMAGE_OUT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE)
# Latched: who subscribes late gets the last message at once.
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL)

DISCOVERY_S = 1.0  # the name of a new publisher's node arrives a little after its QoS


def copy(profile: QoSProfile) -> QoSProfile:
    """Return a copy of ``profile``: rclpy writes the user's overrides into what it is given."""
    return QoSProfile(**{
        name: getattr(profile, name)
        for name in ('history', 'depth', 'reliability', 'durability')})


def incompatible_publishers(node: Node, topic: str, qos: QoSProfile) -> list[str]:
    """Return one line for each publisher of ``topic`` that a subscription with ``qos`` refuses."""
    lines = []
    for publisher in node.get_publishers_info_by_topic(topic):
        verdict, reason = qos_check_compatible(publisher.qos_profile, qos)
        if verdict == QoSCompatibility.ERROR:  # not "is": each is made anew
            why = reason.replace('ERROR: ', '').rstrip(';')
            name = f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'
            lines.append(f'node {name} publishes {topic} with incompatible QoS: {why}')
    return lines


def naming_incompatible(node: Node, topic: str, qos: QoSProfile) -> SubscriptionEventCallbacks:
    """Return subscription events that log incompatible publishers of ``topic`` by name."""
    def on_event(_: object) -> None:
        def report() -> None:
            node.destroy_timer(timer)
            for line in incompatible_publishers(node, topic, qos):
                node.get_logger().error(
                    f'{line}; no image is received from it: change its QoS, or the '
                    f'parameters qos_overrides.{topic}.subscription.*')
        timer = node.create_timer(
            DISCOVERY_S, report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    return SubscriptionEventCallbacks(incompatible_qos=on_event)
