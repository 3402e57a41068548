from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from ditta_ros.ros import parameters
from ditta_ros.ros.node_parameters import all_parameters, unknown
from ditta_ros.settings import SettingError, Settings

MakeNode = Callable[..., Node]


@pytest.fixture
def make_node(context: Context) -> Iterator[MakeNode]:
    """Make a node to which the given parameters were passed, as with -p name:=value."""
    nodes = []

    def make(**given: Any) -> Node:
        nodes.append(rclpy.create_node(
            'settings', context=context, automatically_declare_parameters_from_overrides=True,
            parameter_overrides=[
                Parameter(name.replace('__', '.'), value=value) for name, value in given.items()]))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


def test_every_parameter_is_declared_with_its_default(make_node: MakeNode) -> None:
    node = make_node()
    parameters.declare(node)
    for parameter in all_parameters():
        assert node.get_parameter(parameter.name).value == parameter.default
    assert parameters.read(node) == Settings()
    assert unknown(node.get_parameters_by_prefix('')) == []


def test_descriptors_tell_meaning_unit_range_and_whether_live(make_node: MakeNode) -> None:
    node = make_node()
    parameters.declare(node)
    margin = node.describe_parameter('targets.covered_margin_px')
    assert margin.description.startswith('a peak this near')
    assert margin.description.endswith('[px]')
    assert [(r.from_value, r.to_value) for r in margin.integer_range] == [(0, 100)]
    assert margin.read_only
    tau = node.describe_parameter('tau')
    assert [(r.from_value, r.to_value) for r in tau.floating_point_range] == [(0.0, 1.0)]
    assert not tau.read_only
    device = node.describe_parameter('segmenter.device')
    assert 'one of auto | cpu | cuda' in device.additional_constraints
    # No upper bound: all that 64 bits hold.
    seed = node.describe_parameter('adaptation.seed')
    assert [(r.from_value, r.to_value) for r in seed.integer_range] == [(0, 2**63 - 1)]


def test_given_values_are_read_and_an_integer_does_for_a_float(make_node: MakeNode) -> None:
    node = make_node(warm_up__amount=12, adaptation__passes=2, tau=0.5)
    parameters.declare(node)
    settings = parameters.read(node)
    assert settings.warm_up.amount == 12.0
    assert type(node.get_parameter('warm_up.amount').value) is float
    assert (settings.adaptation.passes, settings.tau) == (2, 0.5)
    assert settings.targets == Settings().targets
    assert node.describe_parameter('warm_up.amount').read_only


@pytest.mark.parametrize(('given', 'said'), [
    ({'tau': 1.5}, 'tau must be <= 1'),
    ({'tau': float('nan')}, 'tau must be >= 0'),
    ({'adaptation__passes': 2.5}, 'adaptation.passes must be int, got 2.5'),
    ({'segmenter__device': 'tpu'}, "segmenter.device must be one of auto, cpu, cuda, got 'tpu'"),
    ({'image_transport': 'theora'}, 'image_transport must be one of raw, compressed'),
    ({'autostart': 'yes'}, "autostart must be bool, got 'yes'"),
    ({'warm_up__unit': 'percent'}, 'warm_up.unit percent needs a known stream length'),
])
def test_a_wrong_value_is_refused_at_start(
    make_node: MakeNode, given: dict[str, Any], said: str,
) -> None:
    def start() -> Settings:
        node = make_node(**given)
        parameters.declare(node)
        return parameters.read(node)

    with pytest.raises(SettingError, match=said):
        start()


def test_a_misspelled_name_is_warned_about_with_the_nearest(make_node: MakeNode) -> None:
    node = make_node(adaptation__pases=3, robot_name='r2', use_sim_time=False)
    parameters.declare(node)
    assert unknown(node.get_parameters_by_prefix('')) == [
        "no parameter is called 'adaptation.pases', it is ignored: "
        'did you mean adaptation.passes?',
        "no parameter is called 'robot_name', it is ignored: see config/ditta.yaml"]


def test_a_live_parameter_changes_and_the_others_are_refused_with_a_reason(
    make_node: MakeNode,
) -> None:
    node = make_node(adaptation__passes=2)
    parameters.declare(node)
    applied: list[Settings] = []
    node.add_on_set_parameters_callback(parameters.judge(node, applied.append))

    def change(name: str, value: Any) -> tuple[bool, str]:
        result, = node.set_parameters([Parameter(name, value=value)])
        return result.successful, result.reason

    assert change('tau', 0.6) == (True, '')
    assert [settings.tau for settings in applied] == [0.6]
    assert applied[0].adaptation.passes == 2
    done, reason = change('tau', 1.5)
    assert not done
    assert 'tau out of range' in reason
    done, reason = change('adaptation.passes', 3)
    assert not done
    assert 'read-only' in reason
    assert len(applied) == 1
    assert node.get_parameter('tau').value == 0.6


def test_the_nodes_own_live_parameters_are_judged_too(make_node: MakeNode) -> None:
    node = make_node()
    parameters.declare(node)
    judge = parameters.judge(node, lambda _: None)
    assert judge([Parameter('status_rate_hz', value=5.0)]).successful
    result = judge([Parameter('status_rate_hz', value=0.0)])
    assert (result.successful, result.reason) == (
        False, 'status_rate_hz must be >= 0.1 Hz, got 0.0')


def test_a_rule_that_ros_does_not_know_is_the_reason(make_node: MakeNode) -> None:
    node = make_node()
    parameters.declare(node)
    judge = parameters.judge(node, lambda _: None)
    result = judge([Parameter('segmenter.device', value='tpu')])
    assert not result.successful
    assert result.reason == "segmenter.device must be one of auto, cpu, cuda, got 'tpu'"
