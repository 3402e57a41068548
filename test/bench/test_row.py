from __future__ import annotations

import pytest

from ditta_ros.bench.row import Row


@pytest.mark.parametrize(('row', 'ratio', 'met'), [
    (Row('', '', 12.0, 10.0, bar='<= 1.15'), 1.2, False),
    (Row('', '', 11.0, 10.0, bar='<= 1.15'), 1.1, True),
    (Row('', '', 2.0, 70.0, gain=True, bar='>= 30'), 35.0, True),
    (Row('', '', 3.0, 70.0, gain=True, bar='>= 30'), 70 / 3, False),
    (Row('', '', 5e-5, bar='<= 1e-4', bar_on='ours'), None, True),
    (Row('', '', 4.5, 13.0, bar='<= 4', bar_on='ours'), 4.5 / 13, False),
    (Row('', '', 12.0, 10.0), 1.2, None),
    (Row('', '', bar='<= 1.15', note='not measured'), None, None),
    (Row('', '', 0.0, 10.0, gain=True), None, None),
])
def test_ratio_and_bar(row: Row, ratio: float | None, met: bool | None) -> None:
    assert row.ratio == pytest.approx(ratio)
    assert row.met is met
    assert row.as_json()['met'] is met
