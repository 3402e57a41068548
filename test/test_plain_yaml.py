"""Yaml within bounds: what is plain is read, and nothing that claims more than it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ditta_ros.plain_yaml import MAX_BYTES, MAX_DEPTH, PlainYamlError, plain_text, plain_value

CONFIG = Path(__file__).parents[1] / 'config'


def read(folder: Path, text: str | bytes) -> object:
    file = folder / 'given.yaml'
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return plain_value(plain_text(file))


def test_every_file_that_comes_with_the_package_is_plain() -> None:
    files = sorted(CONFIG.glob('*.yaml'))
    assert len(files) > 5
    for file in files:
        assert plain_value(plain_text(file)) == yaml.safe_load(file.read_text()), file.name


def test_the_bounds_themselves_are_allowed(tmp_path: Path) -> None:
    assert read(tmp_path, 'a: ' + '#' * (MAX_BYTES - 3)) == {'a': None}
    tree = read(tmp_path, '[' * MAX_DEPTH + ']' * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        assert isinstance(tree, list)
        (tree,) = tree
    assert tree == []


def test_a_text_may_be_said_to_be_one(tmp_path: Path) -> None:
    assert read(tmp_path, 'a: !!str 5') == {'a': '5'}


@pytest.mark.parametrize(('text', 'said'), [
    ('a: ' + '#' * (MAX_BYTES - 2), f'may have {MAX_BYTES} bytes at most'),
    ('[' * (MAX_DEPTH + 1), f'may nest {MAX_DEPTH} levels at most, got more in line 1'),
    ('[' * 100_000, 'may nest'),
    ('- ' * 100_000, 'may nest'),
    ('b: 1\na: &name [1]\n', "no anchors and aliases, got 'name' in line 2: write out"),
    ('a: *name', "no anchors and aliases, got 'name'"),
    ('a: !!python/object/apply:os.getcwd []', "no tags, got 'tag:yaml.org,2002:python/object/"),
    ('a: !!binary "="', 'no tags'),
    ('a: [', 'while parsing'),
    (b'a: \xff', "can't decode byte 0xff"),
    ('a: "\x00"', 'unacceptable character'),
    ('a: ' + '9' * 5000, 'Exceeds the limit'),
    ('a: 2001-13-45', 'month must be in 1..12'),
    ('? {a: 1}\n: 2', 'found unhashable key'),
])
def test_what_is_not_plain_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, said: str,
) -> None:
    with pytest.raises(PlainYamlError, match=said) as refused:
        read(tmp_path, text)
    assert '\n' not in str(refused.value)


@pytest.mark.parametrize('path', ['/no/where.yaml', '/proc/self/mem', 'a\x00b', '/'])
def test_what_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(PlainYamlError):
        plain_text(path)
