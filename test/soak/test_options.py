"""What the soak is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros.soak.__main__ import parts
from ditta_ros.soak.options import QUICK, OptionError, Options, parser, read


def asked(*words: str) -> Options:
    return read(parser().parse_args(words))


def test_the_defaults_are_what_is_promised() -> None:
    options = asked()
    assert options == Options(
        frames=30_000, warm_ups=500, inputs=100_000, kills=1000, faults=True, seed=0,
        out=Path('soak_out'))


def test_quick_is_less_of_all_and_may_be_changed() -> None:
    assert asked('--quick') == QUICK
    options = asked('--quick', '--kills', '0', '--out', 'x', '--no-faults')
    assert (options.kills, options.frames, options.out) == (0, QUICK.frames, Path('x'))
    assert not options.faults


@pytest.mark.parametrize(('words', 'said'), [
    (('--frames', '39'), '--frames must be 0 or >= 40.*got 39'),
    (('--warm-ups', '79'), '--warm-ups must be 0 or >= 80.*got 79'),
    (('--inputs', '-1'), '--inputs must be >= 0, got -1'),
    (('--kills', '-1'), '--kills must be >= 0, got -1'),
])
def test_what_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        asked(*words)


def test_zero_leaves_a_part_out() -> None:
    nothing = asked('--frames', '0', '--warm-ups', '0', '--inputs', '0', '--kills', '0')
    assert [title for title, _ in parts(nothing)] == ['faults']
    titles = [title for title, _ in parts(asked('--quick'))]
    assert titles[:4] == ['frames', 'warm-ups', 'faults', 'kills']
    assert len(titles) == 4 + 7
