"""The cameras that can be heard here, and who reads the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ditta_ros.doctor.children import TIMEOUT_S, ask
from ditta_ros.doctor.finding import Finding, note, ok, problem
from ditta_ros.doctor.seen import ImageTopic, from_json
from ditta_ros.ros.dds import process_environment

MASK, OUTPUT = '/segmentation/mask', '/segmentation/'
NODE = 'ditta'
LAUNCH = 'ros2 launch ditta_ros ditta.launch.py'


def survey(environ: Mapping[str, str], listen_s: float) -> list[ImageTopic] | str:
    """Look at the network and listen for ``listen_s``; what was wrong where it cannot be.

    The Fast DDS profile of ditta_ros is in force, as the launch file sets it for the node.
    """
    try:
        child = process_environment(environ)
    except FileNotFoundError as error:
        return str(error)
    answer = ask('-m', 'ditta_ros.ros.survey', '--listen-s', str(listen_s), environ=child,
                 timeout_s=TIMEOUT_S + listen_s)
    return answer.why if answer.code else from_json(answer.out.splitlines()[-1])


def cameras(topics: Sequence[ImageTopic]) -> list[Finding]:
    """Judge each topic of images that is not the node's own."""
    theirs = [topic for topic in topics if OUTPUT not in topic.name]
    sent = [topic for topic in theirs if topic.publishers]
    found = [_camera(topic) for topic in sent] + [
        _unsent(topic, sent) for topic in theirs
        if not topic.publishers and any(_is_node(each.node) for each in topic.subscriptions)]
    return found or [note(
        'cameras', 'no image topic is seen', 'start the camera, and look again: ros2 topic list '
        '-t; on another machine set the same ROS_DOMAIN_ID')]


def readers(topics: Sequence[ImageTopic]) -> list[Finding]:
    """Judge who subscribes to the masks, and whether the QoS of both fit."""
    masks = [topic for topic in topics if topic.name.endswith(MASK)]
    found = []
    for topic in masks:
        for reader in topic.subscriptions:
            name = f'reader of {topic.name}'
            if reader.refuses:
                found.append(problem(
                    name, f'{reader} hears nothing: {reader.refuses}',
                    'let it subscribe as reliable or best effort, and volatile'))
            elif not topic.publishers:
                found.append(note(name, f'{reader} waits: nobody publishes it', LAUNCH))
            else:
                found.append(ok(name, str(reader)))
    return found or [note('readers of the mask', 'nobody subscribes to segmentation/mask')]


def _camera(topic: ImageTopic) -> Finding:
    name = f'camera {topic.name}'
    by = ', '.join(map(str, topic.publishers))
    if topic.listened_s == 0:
        return note(name, f'{topic.type} by {by}; not listened to', f'ros2 topic hz {topic.name}')
    if topic.images == 0:
        return problem(
            name, f'{topic.type} by {by}: no image came in {topic.listened_s:g} s',
            'see that it runs, started with the Fast DDS profile above: '
            f'ros2 topic hz {topic.name}')
    rate = 'a single image' if topic.rate_hz is None else f'{topic.rate_hz:.1f} Hz'
    seen = f'{topic.type} {topic.kind}, {rate}, by {by}'
    if len(topic.publishers) > 1:
        return note(name, f'{seen}: several cameras in one stream', 'remap all but one')
    return ok(name, seen)


def _unsent(topic: ImageTopic, sent: Sequence[ImageTopic]) -> Finding:
    """The node listens where nobody speaks."""
    name, to = f'camera {topic.name}', next(
        each.node for each in topic.subscriptions if _is_node(each.node))
    same = [each.name for each in sent if each.type == topic.type]
    if same:
        return problem(
            name, f'{to} listens to it and nobody publishes it', f'{LAUNCH} image:={same[0]}')
    return note(name, f'{to} listens to it and nobody publishes it', 'start the camera')


def _is_node(name: str) -> bool:
    return name.rpartition('/')[2] == NODE
