"""Kills at random moments of saving: the old file or the new one, whole."""

from __future__ import annotations

from pathlib import Path

from ditta_ros.soak.kills import kill
from ditta_ros.soak.tick import silent

KILLS = 20


def test_kills_leave_whole_files_and_nothing_that_piles_up(tmp_path: Path) -> None:
    killed = kill(KILLS, seed=0, folder=tmp_path, tick=silent)
    assert (killed.kills, killed.wrong) == (KILLS, ())
    assert killed.left_over <= 1  # of the last kill
