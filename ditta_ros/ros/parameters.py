"""Settings tree <-> ROS parameters: declare, read back, and judge live changes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ditta_ros import settings
from ditta_ros.ros.node_parameters import NODE_PARAMETERS, all_parameters, unknown
from ditta_ros.settings import Parameter, SettingError, Settings
from ditta_ros.settings_yaml import limits

INT64_MIN, INT64_MAX = -2**63, 2**63 - 1


def declare(node: Node) -> None:
    """Declare every parameter of ``all_parameters`` on ``node``, with its descriptor.

    ``node`` was made with ``automatically_declare_parameters_from_overrides=True``: what the
    user gave is there already, so that an integer given for a float is taken as one (ROS
    itself refuses ``amount: 30`` for 30.0), a wrong value is refused with the rule, and a
    name that nobody knows is warned about.  Raises SettingError.
    """
    for parameter in all_parameters():
        value = parameter.default
        if node.has_parameter(parameter.name):
            given = node.get_parameter(parameter.name).value
            value = parameter.rule.check(parameter.name, given, type(parameter.default))
            node.undeclare_parameter(parameter.name)
        node.declare_parameter(parameter.name, value, descriptor(parameter), ignore_override=True)
    for warning in unknown(node.get_parameters_by_prefix('')):
        node.get_logger().warning(warning)


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Return what ``ros2 param describe`` shows of ``parameter``."""
    rule = parameter.rule
    out = ParameterDescriptor(
        name=parameter.name, read_only=not rule.live,
        description=rule.about + (f' [{rule.unit}]' if rule.unit else ''),
        additional_constraints='' if rule.live else 'read at start')
    if rule.choices:
        out.additional_constraints = f'one of {limits(rule)}; {out.additional_constraints}'
    if rule.low is None and rule.high is None:
        return out
    if isinstance(parameter.default, float):
        out.floating_point_range = [FloatingPointRange(
            from_value=-sys.float_info.max if rule.low is None else float(rule.low),
            to_value=sys.float_info.max if rule.high is None else float(rule.high))]
    else:
        out.integer_range = [IntegerRange(
            from_value=INT64_MIN if rule.low is None else int(rule.low),
            to_value=INT64_MAX if rule.high is None else int(rule.high))]
    return out


def read(node: Node) -> Settings:
    """Return the node's present parameters as Settings.  Raises SettingError."""
    return settings.from_flat({
        parameter.name: node.get_parameter(parameter.name).value
        for parameter in settings.parameters()})


def judge(
    node: Node, apply: Callable[[Settings], None],
) -> Callable[[Sequence[RosParameter[Any]]], SetParametersResult]:
    """Return a callback for ``add_on_set_parameters_callback``.

    A change that breaks a rule is refused with the rule as the reason; otherwise ``apply`` is
    called with the settings as they are after the change.
    """
    engines = {parameter.name for parameter in settings.parameters()}
    nodes_own = {parameter.name: parameter for parameter in NODE_PARAMETERS}

    def on_set(changes: Sequence[RosParameter[Any]]) -> SetParametersResult:
        changed = {change.name: change.value for change in changes if change.name in engines}
        try:
            for change in changes:
                if change.name in nodes_own:
                    own = nodes_own[change.name]
                    own.rule.check(own.name, change.value, type(own.default))
            if changed:
                apply(settings.from_flat(settings.to_flat(read(node)) | changed))
        except SettingError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    return on_set
