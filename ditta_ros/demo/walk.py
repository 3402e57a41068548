"""The demo's way: frames to the node, the same frames to the plain model, then the report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from ditta_ros.demo.compare import MASK_TOPIC, Plain, label_plainly, moments, record
from ditta_ros.demo.node_process import NodeProcess
from ditta_ros.demo.play import Play, Played
from ditta_ros.demo.report import Column, phase_table, save_picture, score_table
from ditta_ros.evaluation.bags import BagError, BagWriter, bag_source
from ditta_ros.evaluation.scores import Scorer, Scores
from ditta_ros.evaluation.source import Source
from ditta_ros.labels import LabelSet
from ditta_ros.opening import open_session
from ditta_ros.ros.dds import process_environment
from ditta_ros.ros.player import Player
from ditta_ros.session import Session
from ditta_ros.settings import SettingError, from_flat
from ditta_ros.warm_up import length_frames

NODE_START_S = 120.0


@dataclass(frozen=True)
class Stream:
    """What is played: ``keep`` are the indices of the frames that the picture shows."""

    title: str
    source: Source
    frames: int
    warm_up_frames: int
    keep: list[int]

    @classmethod
    def plan(cls, title: str, source: Source, values: Mapping[str, Any]) -> Stream:
        """Count the frames of ``source`` and of the warm-up that ``values`` ask for."""
        frames = source.length_frames or sum(1 for _ in source)
        rule = from_flat({**values, 'warm_up.stream_length_frames': frames}).warm_up
        warm_up_frames = length_frames(rule) if rule.amount > 0 else 0
        if warm_up_frames is None:
            raise SettingError(
                'the demo counts its warm-up in percent or frames, got warm_up.unit seconds')
        warm_up_frames = min(warm_up_frames, frames)
        return cls(title, source, frames, warm_up_frames, moments(frames, warm_up_frames))


@dataclass(frozen=True)
class Walk:
    """What the node made of a stream.

    ``scores``: of the frames after the warm-up; ``kept``: the frames to look at, by index;
    ``exit_code``: of the node when it was stopped.
    """

    play: Play
    scores: Scores
    kept: dict[int, Played]
    exit_code: int


def play_through_node(
    stream: Stream, values: Mapping[str, Any], out: Path, progress: Progress,
) -> tuple[Walk, Session]:
    """Play ``stream`` through a node with the parameters ``values``; results go into ``out``.

    Returns the plain model too, which is loaded while the node loads its own.
    """
    domain_id = 1 + os.getpid() % 100  # 0..101 are free of the ports that Linux hands out
    environment = {**process_environment(), 'ROS_DOMAIN_ID': str(domain_id)}
    values = {**values, 'warm_up.stream_length_frames': stream.frames}
    task = progress.add_task('starting the node', total=None)
    with (
        BagWriter(fresh_bag(out / 'masks')) as bag,
        NodeProcess(values, environment, out / 'node.log') as node,
        Player(domain_id, node.check) as player,
    ):
        session = open_session(from_flat(
            {**values, 'warm_up.unit': 'frames', 'warm_up.amount': 0.0}))
        player.wait_for_node(NODE_START_S)
        progress.print(
            f'the node listens; playing {stream.frames} frames of {stream.title}, '
            f'{stream.warm_up_frames} of them to warm up', soft_wrap=True)
        progress.update(task, description='playing', total=stream.frames)

        def tell(status: Mapping[str, Any]) -> None:
            progress.update(task, description=adaptation_line(status))

        play = Play(stream.source, player, stream.warm_up_frames, tell)
        scorer = Scorer(len(session.label_set))
        kept = {}
        for played in play.frames():
            phase = 'warm-up' if played.warm_up else 'adapted'
            progress.update(task, description=f'playing: {phase}', advance=1)
            record(played, bag)
            if played.index in stream.keep:
                kept[played.index] = played
            if played.answer is not None and not played.warm_up:
                scorer.add(played.answer.label, played.frame.label, played.answer.reliability)
        exit_code = node.stop()
        progress.print(
            f'the node labelled {play.labelled} frames and adapted in {play.adaptation_s:.0f} s')
    return Walk(play, scorer.scores(), kept, exit_code), session


def adaptation_line(status: Mapping[str, Any]) -> str:
    """Return what the node is doing while the stream waits for it."""
    planned = status.get('adaptation_steps_planned')
    if status.get('phase') == 'adapt' and planned:
        return f'adapting: step {status["adaptation_steps"]} of {planned}'
    return f'tracking: {status.get("objects", 0)} objects'


def label_with_plain_model(
    stream: Stream, session: Session, out: Path, progress: Progress,
) -> Plain:
    """Label ``stream`` with the plain model and compare it with the node's masks."""
    task = progress.add_task('labelling with the plain model (ISS)', total=stream.frames)
    masks = bag_source(out / 'masks', MASK_TOPIC)
    return label_plainly(
        session, stream.source, masks, stream.warm_up_frames, stream.keep,
        lambda: progress.advance(task))


def report(
    stream: Stream, walk: Walk, plain: Plain, label_set: LabelSet, out: Path, console: Console,
) -> None:
    """Print the tables, draw the picture and say where everything lies."""
    has_truth = not np.isnan(walk.scores.miou)
    after = f'frames {stream.warm_up_frames} to {stream.frames - 1}, after the warm-up'
    console.print()
    console.print(score_table(after, plain.scores, walk.scores, plain.agreement, has_truth))
    console.print(phase_table(walk.play, plain.phase))
    names = (('mIoU', 'miou'), ('mVC8', 'mvc8'), ('wIoU', 'wiou')) if has_truth else (
        ('flicker', 'flicker'), ('mean reliability', 'reliability'))
    changes = ',  '.join(
        f'{name} {100 * getattr(plain.scores, key):.1f} → {100 * getattr(walk.scores, key):.1f} %'
        for name, key in names)
    picture = out / 'demo.png'
    columns = [
        _column(stream, played, plain.labels[index]) for index, played in walk.kept.items()
        if played.answer is not None]
    if columns:
        save_picture(picture, stream.title, f'{after}:  {changes}', columns, label_set)
        console.print(f'picture    {picture}', highlight=False, soft_wrap=True)
    console.print(
        f'masks      {out / "masks"}  (MCAP: open it in Foxglove or RViz)', highlight=False,
        soft_wrap=True)
    if walk.exit_code != 0:
        console.print(
            f'the node ended with exit code {walk.exit_code}: see {out / "node.log"}', style='red')


def _column(stream: Stream, played: Played, iss: np.ndarray) -> Column:
    assert played.answer is not None
    return Column(
        played.index, played.index / stream.source.rate_hz, played.warm_up, played.frame.rgb, iss,
        played.answer.label, played.frame.label)


def fresh_bag(path: Path) -> Path:
    """Return ``path`` after removing a bag that an earlier run left there; raises BagError."""
    if path.is_dir():
        if any(item.name != 'metadata.yaml' and item.suffix != '.mcap' for item in path.iterdir()):
            raise BagError(f'{path}: holds more than a bag: remove it or choose another --out')
        shutil.rmtree(path)
    return path
