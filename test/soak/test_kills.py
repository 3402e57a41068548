"""Kills at random moments of saving: the old file or the new one, whole."""

from __future__ import annotations

from pathlib import Path

from ditta_ros.checkpoint import load, save
from ditta_ros.lessons import Progress
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.settings import Settings
from ditta_ros.soak.hostile.adapted_files import small_segmenter
from ditta_ros.soak.kills import DIM, MARKS, kill, marked
from ditta_ros.soak.tick import silent

KILLS = 20


def test_kills_leave_whole_files_and_nothing_that_piles_up(tmp_path: Path) -> None:
    killed = kill(KILLS, seed=0, folder=tmp_path, tick=silent)
    assert (killed.kills, killed.wrong) == (KILLS, ())
    assert killed.halfway > 0, 'no kill came while a file was half written'
    assert killed.left_over == 1
    segmenter, path = small_segmenter(DIM), tmp_path / 'head.safetensors'
    loaded = load(path, segmenter, base_hash(segmenter))
    assert loaded.provenance.steps in MARKS
    provenance = Provenance.of(
        base_hash(segmenter), segmenter.label_set.names, Settings(), Progress())
    save(path, marked(segmenter.head, provenance, 1))
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
