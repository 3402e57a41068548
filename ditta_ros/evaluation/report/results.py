"""The outcomes of a run, in order, and each one's partner of the plain model (ISS)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ditta_ros.evaluation.baselines import METHODS
from ditta_ros.evaluation.outcome import Job, Outcome, Run, read_outcomes, read_run

ISS = 'iss'
UPPER_BOUND = 'true_labels'  # no method that a robot can run
TITLES = {
    ISS: 'SegFormer (ISS)', 'ditta': 'DiTTA', 'zero_shot': 'Zero-shot refinement',
    'bn_only': 'Batch norm only', 'tent': 'TENT', 'cotta': 'CoTTA', 'auxadapt': 'AuxAdapt',
    UPPER_BOUND: 'True labels (bound)'}


def title(method: str) -> str:
    """Return how a method is called in the report."""
    return TITLES.get(method, method)


def protocol(job: Job) -> str:
    """Return the warm-up of a job and, where frames came as on a robot, their rate."""
    return job.warm_up if job.live_rate_hz is None else (
        f'{job.warm_up}, live {job.live_rate_hz:g} Hz')


@dataclass(frozen=True)
class Results:
    """What a run has come to so far.

    ``outcomes`` are in the order of the plan; ``unplanned`` counts those in the folder that
    belong to another plan and are left out.  Without a ``run`` all outcomes are taken.
    """

    outcomes: tuple[Outcome, ...]
    run: Run | None = None
    missing: tuple[Job, ...] = ()
    unplanned: int = 0

    @classmethod
    def read(cls, folder: Path) -> Results:
        """Read a run's folder; what is broken in it is left out with a line in the log."""
        run, found = read_run(folder), read_outcomes(folder)
        if run is None:
            return cls(tuple(sorted(found, key=lambda outcome: outcome.job.source)))
        by_key = {outcome.job.key: outcome for outcome in found}
        keys = dict.fromkeys(job.key for job in run.jobs)
        return cls(
            tuple(by_key[key] for key in keys if key in by_key), run,
            tuple(job for job in run.jobs if job.key not in by_key),
            len(by_key.keys() - keys.keys()))

    @property
    def planned(self) -> int:
        """How many jobs there are in all."""
        return len(self.outcomes) + len(self.missing)

    @property
    def complete(self) -> bool:
        """Whether every job that is known to be planned has an outcome."""
        return bool(self.outcomes) and not self.missing

    @property
    def methods(self) -> list[str]:
        """Names of the methods in the order of ``METHODS``, so the plain model first."""
        names = dict.fromkeys(outcome.job.method for outcome in self.outcomes)
        order = list(METHODS)
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))

    @property
    def sources(self) -> list[str]:
        """What was evaluated on."""
        return list(dict.fromkeys(outcome.job.source for outcome in self.outcomes))

    @property
    def protocols(self) -> list[str]:
        """Warm-ups (and rates), the shortest first."""
        shares: dict[str, list[float]] = {}
        for outcome in self.outcomes:
            shares.setdefault(protocol(outcome.job), []).append(warm_up_share(outcome))
        return sorted(shares, key=lambda name: (mean(shares[name]), name))

    @property
    def headline(self) -> str:
        """The protocol that single-protocol plots show: the one with most outcomes, the shortest.

        '' without outcomes.
        """
        plain = [protocol(outcome.job) for outcome in self.select(variant='')]
        return max(self.protocols, key=plain.count, default='')

    def select(
        self, method: str | None = None, under: str | None = None, source: str | None = None,
        variant: str | None = None,
    ) -> list[Outcome]:
        """Return the outcomes of a method, protocol, source and variant; None: of any."""
        return [
            outcome for outcome in self.outcomes
            if method in (None, outcome.job.method) and under in (None, protocol(outcome.job))
            and source in (None, outcome.job.source) and variant in (None, outcome.job.variant)]

    @cached_property
    def _plain(self) -> dict[tuple[str, str], list[Outcome]]:
        """The plain model's outcomes by source and protocol."""
        found: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.select(ISS):
            found.setdefault((outcome.job.source, protocol(outcome.job)), []).append(outcome)
        return found

    def partner(self, outcome: Outcome) -> Outcome | None:
        """Return the plain model's outcome on the same frames; None where it has not run.

        Live, it is on those that the plain model labelled: see ``same_frames``.

        Of several the one with the same variant and seed is taken, as far as there is one.
        """
        job = outcome.job
        return max(
            self._plain.get((job.source, protocol(job)), []), default=None,
            key=lambda iss: (iss.job.variant == job.variant, iss.job.seed == job.seed,
                             not iss.job.variant))


def same_frames(one: Outcome, other: Outcome) -> bool:
    """Whether both labelled the same frames: live, each drops what comes while it is busy."""
    return not (one.dropped or other.dropped)


def has_truth(outcomes: Iterable[Outcome]) -> bool:
    """Whether any of the outcomes could be held against truth."""
    return any(outcome.evaluated > 0 for outcome in outcomes)


def warm_up_share(outcome: Outcome) -> float:
    """Return the share of the source's frames, 0..1, that were its warm-up."""
    return outcome.warm_up_frames / outcome.frames if outcome.frames else math.nan


def mean(values: Iterable[float]) -> float:
    """Return the mean of what is not NaN; NaN where nothing is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def short(source: str, sources: Sequence[str]) -> str:
    """Return ``source`` without the folders that all ``sources`` have in common."""
    if len(sources) < 2:
        return source if ':' in source else Path(source).name or source
    parts = [each.split('/') for each in sources]
    shared = 0
    while all(len(each) > shared + 1 for each in parts) and len(
            {each[shared] for each in parts}) == 1:
        shared += 1
    return '/'.join(source.split('/')[shared:])
