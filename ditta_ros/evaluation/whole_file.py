"""Files that are there whole or not at all, whatever interrupts the writing."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> Path:
    """Write ``text`` as UTF-8 beside ``path``, then give it that name; return ``path``.

    A reader sees the file of before or all of the new one, never a part.  Raises OSError.
    """
    unfinished = path.with_name(f'.{path.name}.unfinished')
    try:
        unfinished.write_text(text, encoding='utf-8')
        return unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
