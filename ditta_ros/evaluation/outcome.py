"""What an evaluation is made of: one method on one source is a job, and its outcome is a file.

A run is a folder.  ``run.json`` is there first and says which jobs are planned; as a job ends, its
outcome is written as ``<key>.json``, with the masks beside it in ``<key>/``, an MCAP bag of
``MASK_TOPIC`` on the source's own stamps.  Reports are made from these files and the sources
alone, so one can be made of a run that was interrupted, and a run can be resumed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ditta_ros.evaluation.json_values import JsonError, from_json, to_json
from ditta_ros.evaluation.scores import Scores
from ditta_ros.evaluation.whole_file import write_whole

MASK_TOPIC = '/segmentation/mask'
RUN_FILE = 'run.json'
# Of a job's key; other JSON may lie in the folder, the report's among it.
_KEY_PATTERN = f'*-{"[0-9a-f]" * 16}'

BINS_PER_DECADE = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One method on one source under one protocol.

    ``warm_up`` is '10%', 'full', '30 frames' or '5 s'; ``values`` are the parameters that differ
    from their default, by dotted name; ``variant`` names what an ablation changed,
    'targets.lambda_area=0.3', and is empty outside of one.  ``live_rate_hz`` None: every frame is
    seen once, however long it takes; else frames come at this rate and are dropped as on a robot.
    """

    source: str
    method: str
    warm_up: str
    seed: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ''
    live_rate_hz: float | None = None

    @property
    def key(self) -> str:
        """A file name: equal for equal jobs, and for no others."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, default=str)
        return f'{self.method}-{hashlib.sha256(text.encode()).hexdigest()[:16]}'


@dataclass(frozen=True)
class Latency:
    """Milliseconds from a frame's arrival at the method to its label, in one phase."""

    phase: str  # 'warm_up', 'adapt' or 'frozen', as ``session.Phase``
    frames: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    histogram_ms: tuple[tuple[float, int], ...] = ()  # left edge of a bin, frames in it

    @classmethod
    def of(cls, phase: str, latencies_ms: Sequence[float]) -> Latency:
        """Describe the latencies of all frames of ``phase``; NaN where it had none.

        The histogram's edges are ``BINS_PER_DECADE`` to a factor of ten, the same for all, and
        have no gaps between the first and the last frame's bin.
        """
        if not latencies_ms:
            return cls(phase, 0, math.nan, math.nan, math.nan)
        p50_ms, p95_ms, p99_ms = np.percentile(latencies_ms, (50, 95, 99)).tolist()
        # Nothing is faster than a clock's tick; a latency of 0 would have no logarithm.
        at = np.floor(BINS_PER_DECADE * np.log10(np.maximum(latencies_ms, 1e-3)) + 1e-9)
        first = int(at.min())
        counts = np.bincount((at - first).astype(np.int64))
        return cls(
            phase, len(latencies_ms), p50_ms, p95_ms, p99_ms,
            tuple((latency_edge_ms(first + index), int(count))
                  for index, count in enumerate(counts)))


def latency_edge_ms(index: int) -> float:
    """Return the left edge of a latency histogram's bin; 0 is at 1 ms."""
    return float(f'{10 ** (index / BINS_PER_DECADE):.6g}')


@dataclass(frozen=True)
class Outcome:
    """What a job came to.  Rates are in 0..1; NaN, null in JSON, where not measured."""

    job: Job
    class_names: tuple[str, ...]
    frames: int  # that the source had
    labelled: int
    dropped: int  # live only
    warm_up_frames: int
    evaluated: int  # frames after the warm-up (all of them, where it is 'full') that have truth
    scores: Scores  # over the evaluated frames; without truth over those after the warm-up
    miou_of_frame: tuple[tuple[int, float], ...]  # index of every frame with truth, its own mIoU
    reliability_curve: tuple[tuple[float, int, int], ...]  # left edge, pixels, of these correct
    calibration_error: float  # expected: mean |accuracy - reliability| weighted by pixels
    agreement_with_iss: float  # share of pixels after the warm-up labelled as the plain model does
    latencies: tuple[Latency, ...]
    adaptation_s: float  # seconds of tracking and learning per warm-up frame
    peak_memory_mb: float
    objects: int
    steps: int
    promoted: bool
    why: str  # what the method says of its end
    provenance: Mapping[str, Any]  # model hashes, settings, versions, machine
    palette: tuple[tuple[int, int, int], ...] = ()  # RGB 0..255 by class; none: distinct colours
    skipped: int = 0  # frames of the source that could not be read
    truth_as: tuple[int, ...] = ()  # class as which each true label 0..255 counts; none: itself


@dataclass(frozen=True)
class Run:
    """All that was planned, and how: what ``RUN_FILE`` holds.

    ``topic`` and ``truth_topic`` choose the images and labels of bags, as ``open_source`` takes
    them; ``mapping`` is the file of a class mapping, which the truth has to go through, or empty;
    ``started_utc`` is ISO 8601.
    """

    jobs: tuple[Job, ...]
    command: str = ''
    started_utc: str = ''
    topic: str = ''
    truth_topic: str = ''
    mapping: str = ''


def write_outcome(outcome: Outcome, folder: Path) -> Path:
    """Write ``<key>.json`` into ``folder``, all of it or nothing; return its path."""
    return _write(folder / f'{outcome.job.key}.json', outcome)


def read_outcomes(folder: Path) -> list[Outcome]:
    """Return the outcomes in ``folder`` in the order of their names.

    A file that is broken, or whose name is not its job's key, is left out with a line in the log.
    """
    outcomes = []
    for path in sorted(folder.glob(f'{_KEY_PATTERN}.json')):
        try:
            outcome = from_json(Outcome, json.loads(path.read_text(encoding='utf-8')))
            if outcome.job.key != path.stem:
                raise JsonError(f'its job has the key {outcome.job.key}')
        except (ValueError, OSError) as error:
            _log.warning(
                '%s: not an outcome, left out: %s; run its job again', path, error)
        else:
            outcomes.append(outcome)
    return outcomes


def write_run(run: Run, folder: Path) -> Path:
    """Write ``RUN_FILE`` into ``folder``, all of it or nothing; return its path."""
    return _write(folder / RUN_FILE, run)


def read_run(folder: Path) -> Run | None:
    """Return what was planned in ``folder``; None where that is not known.

    A file that is broken is said in the log.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    try:
        return from_json(Run, json.loads(path.read_text(encoding='utf-8')))
    except (ValueError, OSError) as error:
        _log.warning('%s: cannot be read, so what was planned is unknown: %s', path, error)
        return None


def _write(path: Path, value: Outcome | Run) -> Path:
    return write_whole(path, json.dumps(to_json(value), indent=1, allow_nan=False) + '\n')
