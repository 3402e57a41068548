"""The SROS 2 policy allows what the running node does, and nothing that no node of ours does."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from live_node import camera_before, given, running_node

POLICY = Path(__file__).parents[2] / 'config' / 'sros2_policy.xml'
NODE, NAMESPACE = 'ditta', '/'
RULES = {'publish', 'subscribe', 'reply', 'request'}
# What the node opens only where a package is installed, and with another image_transport.
ONLY_SOMETIMES = {
    ('publish', '/segmentation/points'): 'sensor_msgs_py',
    ('publish', '/segmentation/label_info'): 'vision_msgs'}
# While somebody listens to the points, and with image_transport compressed.
NOT_NOW = {('subscribe', f'/{name}') for name in ('depth', 'camera_info', 'image/compressed')}
# A node may watch its own parameters; rclpy does so by the distribution.
BY_DISTRIBUTION = {
    ('subscribe', '/parameter_events'), ('reply', '/ditta/get_type_description')}


def absolute(name: str) -> str:
    """The name as a node sees it, by the policy's rules for ``~`` and relative names."""
    if name.startswith('/'):
        return name
    return f'/{NODE}{name[1:]}' if name.startswith('~') else f'{NAMESPACE}{name}'


def allowed() -> set[tuple[str, str]]:
    """Return what may be done, as (publish, name) and so on."""
    rules = set()
    for group in profile():
        verbs = {verb for verb in RULES if group.get(verb) == 'ALLOW'}
        names = {absolute(str(item.text)) for item in group}
        before = len(rules)
        rules |= {(verb, name) for verb in verbs for name in names}
        assert len(rules) == before + len(verbs) * len(group), 'a name is there twice'
    return rules


def profile() -> ElementTree.Element:
    policy = ElementTree.parse(POLICY).getroot()
    (found,) = policy.iter('profile')
    return found


def test_it_has_the_form_that_sros2_reads() -> None:
    policy = ElementTree.parse(POLICY).getroot()
    assert (policy.tag, policy.attrib) == ('policy', {'version': '0.2.0'})
    assert [each.get('path') for each in policy.findall('enclaves/enclave')] == ['/ditta']
    assert profile().attrib == {'ns': NAMESPACE, 'node': NODE}
    for group in profile():
        assert group.tag in ('topics', 'services')
        assert set(group.attrib) <= RULES and set(group.attrib.values()) == {'ALLOW'}
        assert {f'{item.tag}s' for item in group} == {group.tag}
        assert not [item.text for item in group if '*' in str(item.text)], 'no wildcard'


@pytest.mark.parametrize('values', [(), ('use_sim_time:=true',)])
def test_it_allows_what_the_running_node_does_and_no_more(
    values: tuple[str, ...], tmp_path: Path, domain_id: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Not where nodes of this name have been: what is asked for by name may be a dead one's.
    domain_id = 1 + (domain_id + 20 + len(values)) % 100
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain_id))
    log = tmp_path / 'log.txt'
    settings = given('warm_up.amount:=0', 'segmenter.device:=cpu', *values)
    with (
        running_node(log, *settings) as process,
        camera_before(process, log, domain_id) as camera,
    ):
        camera.await_node()

        def done() -> set[tuple[str, str]]:
            ask = camera.node
            if (NODE, NAMESPACE) not in ask.get_node_names_and_namespaces():
                return set()  # its topics are known before its name is
            return {
                *(('publish', name) for name, _ in
                  ask.get_publisher_names_and_types_by_node(NODE, NAMESPACE)),
                *(('subscribe', name) for name, _ in
                  ask.get_subscriber_names_and_types_by_node(NODE, NAMESPACE)),
                *(('reply', name) for name, _ in
                  ask.get_service_names_and_types_by_node(NODE, NAMESPACE)),
                *(('request', name) for name, _ in
                  ask.get_client_names_and_types_by_node(NODE, NAMESPACE))}

        absent = {rule for rule, package in ONLY_SOMETIMES.items() if find_spec(package) is None}
        absent |= NOT_NOW | (set() if values else {('subscribe', '/clock')})
        expected = allowed() - absent
        # Its names arrive one after the other.
        camera.until(lambda: expected - BY_DISTRIBUTION <= done(), f'{expected - done()}')
        assert done() - allowed() == set()
