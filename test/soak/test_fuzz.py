"""The process that reads hostile inputs: it counts, it tells defects, and it may die."""

from __future__ import annotations

import pytest

from ditta_ros.soak.fuzz import Fuzzed, fuzz, little_memory
from ditta_ros.soak.hostile import READERS
from ditta_ros.soak.tick import silent


def test_a_process_reads_its_inputs_and_answers() -> None:
    done = fuzz('parameters', 300, seed=3, tick=silent)
    assert (done.reader, done.inputs, done.defects) == ('parameters', 300, {})
    assert 0 < done.read < 300
    assert fuzz('parameters', 300, seed=3, tick=silent) == done, 'equal seeds, equal inputs'


def test_a_process_that_ends_is_a_defect() -> None:
    done = fuzz('no reader of this name', 10, seed=0, tick=silent)
    assert done == Fuzzed('no reader of this name', 0, 0, {
        'the process ended with 1 after input 0': 1})


def test_little_memory_is_little() -> None:
    assert len(READERS) == 7
    with little_memory(64), pytest.raises(MemoryError):
        bytearray(10**9)
    assert len(bytearray(10**8)) == 10**8
