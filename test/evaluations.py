"""What tests of whole evaluations share: a short stream, quick settings, what must be equal."""

from __future__ import annotations

import dataclasses

from ditta_ros.evaluation.outcome import Outcome

WORLD = 'world:seed=21,shift=noise:0.5,frames=8'
VALUES = {
    'adaptation.passes': 1, 'adaptation.held_out_percent': 0.0, 'segmenter.max_side_px': 128}
# What depends on the machine and the hour.
MEASURED = ('latencies', 'adaptation_s', 'peak_memory_mb', 'provenance')


def numbers(outcome: Outcome) -> str:
    """All but the job and what is measured; as text, where a NaN equals a NaN."""
    values = {field.name: getattr(outcome, field.name) for field in dataclasses.fields(outcome)}
    return str({name: value for name, value in values.items() if name not in ('job', *MEASURED)})
