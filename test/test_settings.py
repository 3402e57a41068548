"""Every parameter has one place, a rule, and a refusal that names it."""

from __future__ import annotations

import dataclasses
import gc
import tracemalloc

import pytest

from ditta_ros.settings import (
    AdaptationSettings,
    SettingError,
    Settings,
    WarmUpSettings,
    from_flat,
    parameters,
    to_flat,
)


def test_flat_names_and_values_survive_the_round_trip() -> None:
    changed = Settings(
        warm_up=WarmUpSettings(unit='seconds', amount=4.5),
        adaptation=AdaptationSettings(passes=2), tau=0.7)
    flat = to_flat(changed)
    assert flat['warm_up.amount'] == 4.5
    assert flat['tau'] == 0.7
    assert from_flat(flat) == changed
    assert from_flat({}) == Settings()


def test_every_parameter_says_what_it_means_and_has_a_default_of_its_own_type() -> None:
    listed = list(parameters())
    assert len({item.name for item in listed}) == len(listed)
    for item in listed:
        assert item.rule.about, item.name
        assert type(item.default) in (bool, int, float, str), item.name
        assert item.rule.check(item.name, item.default, type(item.default)) == item.default


@pytest.mark.parametrize(('flat', 'says'), [
    ({'tau': 1.5}, 'tau must be <= 1'),
    ({'tau': float('nan')}, 'tau must be >= 0'),
    ({'segmenter.max_side_px': 63}, 'segmenter.max_side_px must be 0 or >= 64 px, got 63'),
    ({'tau': 'high'}, "tau must be float, got 'high'"),
    ({'adaptation.passes': 2.5}, 'adaptation.passes must be int, got 2.5'),
    ({'adaptation.passes': True}, 'adaptation.passes must be int, got True'),
    ({'adaptation.max_bad_steps': 0}, 'adaptation.max_bad_steps must be >= 1, got 0'),
    ({'adaptation.on_drift': 'stop'}, 'adaptation.on_drift must be one of off, warn, readapt'),
    ({'memory_budget_mb': -1.0}, 'memory_budget_mb must be >= 0 MB, got -1'),
    ({'adaptation.distill_on': 'labels'}, 'adaptation.distill_on must be one of logits'),
    ({'adaptation.early_stop': True, 'adaptation.held_out_percent': 0.0},
     'adaptation.early_stop needs frames that are not learnt from'),
    ({'adaptation.class_guard': 'give_back', 'adaptation.held_out_percent': 0.0},
     'adaptation.class_guard give_back needs frames held out'),
    ({'adaptation.early_stop': True, 'adaptation.when': 'while_warming_up'},
     'adaptation.when while_warming_up'),
    ({'warm_up.unit': 'percent'}, 'warm_up.stream_length_frames'),
    ({'warm_up.unit': 'percent', 'warm_up.amount': 101.0,
      'warm_up.stream_length_frames': 9}, 'warm_up.amount must be <= 100'),
    ({'adaptation.speed': 1.0}, "'adaptation.speed'"),
    ({'speed.of.light': 1.0}, "'speed.of.light'"),
])
def test_a_wrong_value_is_refused_by_name(flat: dict[str, object], says: str) -> None:
    with pytest.raises(SettingError) as refusal:
        from_flat(flat)
    assert says in str(refusal.value)
    assert '\n' not in str(refusal.value)


def test_a_whole_number_is_taken_for_a_float() -> None:
    settings = from_flat({'warm_up.amount': 12})
    assert settings.warm_up.amount == 12.0
    assert type(settings.warm_up.amount) is float


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().tau = 0.5  # type: ignore[misc]


def test_to_flat_keeps_nothing_from_call_to_call() -> None:
    """Names cut anew for getattr fill the interpreter's attribute cache, as if memory leaked."""
    settings = Settings()
    to_flat(settings)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(100):
            to_flat(settings)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 5000  # bytes; more than 90,000 where they are cut
