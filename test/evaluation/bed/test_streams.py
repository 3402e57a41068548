"""The halves of the bed: no stream is in both."""

from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros.evaluation.bed.streams import (
    CHOOSE,
    REPORT,
    SEEDS,
    SHIFTS,
    STILLS,
    crop_models,
    crop_streams,
    world_streams,
)
from ditta_ros.evaluation.sources import open_source
from ditta_ros.segmenter import Segmenter

DATA = Path(__file__).parents[4] / 'shared' / 'data'
needs_stills = pytest.mark.skipif(
    not (DATA / 'camvid_1hz').is_dir(), reason=f'no labelled stills in {DATA}')


def test_halves_have_nothing_in_common() -> None:
    for names in (SEEDS, STILLS):
        assert all(len(half) == 8 for half in names.values())
        assert len(set().union(*names.values())) == 8 * len(names)
    assert {CHOOSE, REPORT} == set(STILLS) < set(SEEDS)


def test_world_streams() -> None:
    streams = world_streams(REPORT, SHIFTS, 8, 90)
    assert len(streams) == len(set(streams)) == 56
    assert streams[0].spec == 'world:seed=700,shift=clean,frames=90'
    assert open_source(streams[-1].spec).length_frames == 90
    assert [each.name for each in world_streams(CHOOSE, ('clean',), 2, 5)] == ['600', '601']


@needs_stills
@pytest.mark.parametrize('half', [CHOOSE, REPORT])
def test_stills_are_there_with_classes_of_their_model(half: str) -> None:
    streams = crop_streams(half, ('clean',), 8, 2, DATA)
    assert len(streams) == 8
    classes = len(Segmenter.load(crop_models(DATA)['segmenter.model']).label_set)
    for stream in streams:
        for frame in open_source(stream.spec):
            assert frame.rgb.shape == (240, 320, 3)
            known = frame.label[frame.label != 255]
            assert known.size and known.max() < classes
