"""Whatever comes in is read, or refused with the error that the reader documents.

The inputs are those of ``make soak``, drawn by hypothesis, which makes what fails small.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ditta_ros.soak.fuzz import little_memory
from ditta_ros.soak.hostile import READERS
from ditta_ros.soak.hostile.refusal import WrongAnswerError, refused

INPUTS = 150


@pytest.mark.parametrize('reader', READERS)
def test_a_reader_reads_or_refuses(reader: str, tmp_path: Path) -> None:
    feed, outcomes = READERS[reader](tmp_path), Counter()

    @settings(max_examples=INPUTS, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(random=st.randoms(use_true_random=False))
    def reads_or_refuses(random: Random) -> None:
        outcomes[feed(random)] += 1

    with little_memory():
        reads_or_refuses()
    # Else the inputs are all good, or all so bad that nothing looks at them closely.
    assert min(outcomes[True], outcomes[False]) >= INPUTS // 20, outcomes


@pytest.mark.parametrize('said', ['', ' ', 'two\nlines', 'half a pair: \ud800', 'x' * 200_000])
def test_an_answer_that_helps_nobody_is_a_defect(said: str) -> None:
    with pytest.raises(WrongAnswerError):
        refused(ValueError(said))


def test_an_answer_in_one_line_is_a_refusal() -> None:
    assert refused(ValueError('checkpoint.path /a: is not whole')) is False
