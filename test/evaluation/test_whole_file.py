from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros.evaluation.whole_file import write_whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    path.write_text('of before, and longer')
    assert write_whole(path, 'größer') == path
    assert path.read_text(encoding='utf-8') == 'größer'
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    path.write_text('of before')
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, 'x' * 100_000 + '\udc80')  # no UTF-8
    assert path.read_text() == 'of before'
    assert list(tmp_path.iterdir()) == [path]
