"""Ways to break what was good: bytes, and trees of plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

# What lengths, offsets and sizes are mistaken at.
NUMBERS = (
    0, 1, -1, 2, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1,
    2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**30)
TEXTS = (
    '', ' ', 'a', '\n', '\x00', '\ud800', '\u2028', '🤖', 'x' * 5000, '../../etc/passwd',
    '/dev/zero', '${a}', '%s', '__class__', 'nan', '1e999', "'", '"', '!!python/none', '&a *a',
    '9' * 5000, '2001-99-99', '{', '[')
_MOST_CHANGES = 8


def damaged(random: Random, data: bytes) -> bytes:
    """Return ``data`` with a few changes, each of any kind, or none."""
    for _ in range(random.randint(0, random.choice((1, 2, _MOST_CHANGES)))):
        data = random.choice(_CHANGES)(random, data)
    return data


def plain_tree(random: Random, depth: int = 3) -> Any:
    """Return a value that JSON or yaml can hold, nested ``depth`` levels at most."""
    kind = random.randrange(8 if depth else 6)
    if kind < 6:
        return scalar(random)
    children = [plain_tree(random, depth - 1) for _ in range(random.randint(0, 3))]
    return children if kind == 6 else {
        random.choice((scalar(random), 'classes', 'target')): child for child in children}


def scalar(random: Random) -> Any:
    """Return a number, a text, a truth value or None, of the kinds that break things."""
    return random.choice((
        random.choice(NUMBERS), random.choice(TEXTS), random.choice((True, False, None)),
        random.choice((0.5, -0.0, 1e308, float('inf'), float('nan')))))


def changed_tree(random: Random, tree: Any) -> Any:
    """Return a copy of a tree of dicts and lists, changed in one place."""
    if not isinstance(tree, (dict, list)) or not tree or random.random() < 0.1:
        return plain_tree(random)
    keys: Sequence[Any] = list(tree) if isinstance(tree, dict) else range(len(tree))
    key, copied = random.choice(keys), tree.copy()
    change = random.randrange(8)
    if change == 0:
        del copied[key]
    elif change == 1 and isinstance(copied, dict):
        copied[random.choice(TEXTS)] = copied[random.choice(keys)]
    elif change == 1 and isinstance(copied, list):
        copied.append(copied[random.choice(keys)])
    else:
        copied[key] = changed_tree(random, copied[key])
    return copied


def _place(random: Random, data: bytes) -> int:
    """Half of the places are in the first bytes: headers are."""
    high = len(data) if random.random() < 0.5 else min(64, len(data))
    return random.randint(0, high)


def _set_byte(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    return data[:at] + bytes((random.randrange(256),)) + data[at + 1:]


def _flip_bit(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    flipped = bytes(each ^ 1 << random.randrange(8) for each in data[at:at + 1])
    return data[:at] + flipped + data[at + 1:]


def _set_number(random: Random, data: bytes) -> bytes:
    at, size = _place(random, data), random.choice((2, 4, 8))
    number = random.choice(NUMBERS) % 2**(8 * size)
    order: Any = random.choice(('little', 'big'))
    return data[:at] + number.to_bytes(size, order) + data[at + size:]


def _cut(random: Random, data: bytes) -> bytes:
    return data[:_place(random, data)]


def _remove(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    return data[:at] + data[at + random.randint(1, 64):]


def _repeat(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    part = data[at:at + random.randint(1, 64)]
    return data[:at] + part * random.choice((2, 3, 100)) + data[at:]


def _insert(random: Random, data: bytes) -> bytes:
    at = _place(random, data)
    text = random.choice(TEXTS).encode(errors='surrogatepass')
    return data[:at] + text + data[at:]


def _move(random: Random, data: bytes) -> bytes:
    """Put a part of the data over another one."""
    at, to, size = _place(random, data), _place(random, data), random.randint(1, 64)
    part = data[at:at + size]
    return data[:to] + part + data[to + len(part):]


_CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _set_byte, _flip_bit, _set_number, _cut, _remove, _repeat, _insert, _move)
