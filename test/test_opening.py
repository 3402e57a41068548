"""A session is opened on what the settings name, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ditta_ros.opening import open_session
from ditta_ros.settings import SegmenterSettings, SettingError, Settings, WarmUpSettings


def test_a_missing_model_is_named_by_its_parameter(tmp_path: Path) -> None:
    settings = Settings(segmenter=SegmenterSettings(model=str(tmp_path / 'none')))
    with pytest.raises(ValueError, match=r'segmenter\.model') as refusal:
        open_session(settings)
    assert '\n' not in str(refusal.value)


def test_a_budget_that_holds_no_warm_up_is_refused() -> None:
    with pytest.raises(SettingError, match=r'memory_budget_mb must be >= \d+ MB .*got 1: raise') \
            as refusal:
        open_session(Settings(memory_budget_mb=1.0))
    assert '\n' not in str(refusal.value)


def test_a_budget_does_not_matter_without_a_warm_up() -> None:
    session = open_session(Settings(
        memory_budget_mb=1.0, warm_up=WarmUpSettings(amount=0.0)))
    assert session.status()['phase'] == 'frozen'
