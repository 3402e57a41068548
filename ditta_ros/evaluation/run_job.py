"""One job: a method is driven through a source, scored, and its outcome made.

Frames stream: nothing of a whole source is in memory but a few numbers of each frame.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
import torch

from ditta_ros.bench.machine import machine, versions
from ditta_ros.device import choose_device
from ditta_ros.evaluation.bags import BagWriter
from ditta_ros.evaluation.baselines import Method, open_method
from ditta_ros.evaluation.driving import Driver, Labelled, Tell
from ditta_ros.evaluation.live import LiveCamera
from ditta_ros.evaluation.outcome import Job, Latency, Outcome, Run
from ditta_ros.evaluation.plan import PLAIN
from ditta_ros.evaluation.recording import Record
from ditta_ros.evaluation.reference import beside
from ditta_ros.evaluation.source import Source, SourceError
from ditta_ros.evaluation.sources import open_source
from ditta_ros.evaluation.warm_up_length import Boundary, WarmUpLength
from ditta_ros.mapping import ClassMapping
from ditta_ros.provenance import base_hash
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Phase
from ditta_ros.settings import Settings, from_flat, to_flat


def run_job(job: Job, run: Run, folder: Path, tell: Tell) -> Outcome:
    """Do ``job`` and return its outcome; its masks go to the bag ``folder/<key>``.

    ``run`` says how the source is read.  Raises SourceError, SettingError, ModelError,
    MethodError, LabelError, ClassFileError, BagError.
    """
    source = open_source(job.source, run.topic, run.truth_topic)
    length = WarmUpLength.parse(job.warm_up)
    settings = from_flat({
        **job.values, **length.values(_frames_of(source)), 'adaptation.seed': job.seed})
    torch.manual_seed(job.seed)
    segmenter = Segmenter.open(
        settings.segmenter, choose_device(settings.segmenter.device), job.seed)
    mapping = ClassMapping.load(
        Path(run.mapping), segmenter.label_set.names) if run.mapping else None
    keeping, borrowing = beside(segmenter)
    with closing(open_method(job.method, settings, keeping, mapping=mapping)) as method:
        plain = None if job.method == PLAIN else open_method(
            PLAIN, settings, borrowing, mapping=mapping)
        boundary = Boundary(settings.warm_up, length.whole)
        record = Record(len(method.label_set), boundary, plain, mapping)
        driver = Driver(method, source, tell)
        with _new_bag(folder / job.key) as bag:
            if length.whole and method.status()['phase'] != Phase.FROZEN.value:
                for _ in _walk(job, settings, driver):
                    pass
                driver.end_of_stream()
            for labelled in _walk(job, settings, driver):
                record.add(labelled, bag)
        if not record.scored:
            raise SourceError(
                f'{job.source}: a warm-up of {length.text} leaves no frame of {driver.seen} to '
                'score: give a shorter --warmup, or full')
        return _outcome(job, source, driver, record, boundary, method, {
            'base_sha256': base_hash(segmenter), 'settings': to_flat(settings),
            'versions': versions(), 'machine': machine(method.device), 'rate_hz': source.rate_hz,
            'created_utc': datetime.now(timezone.utc).isoformat(timespec='seconds')})


def _frames_of(source: Source) -> int:
    """Return a source's length, counted where it is not known beforehand."""
    return source.length_frames or sum(1 for _ in source)


def _new_bag(path: Path) -> BagWriter:
    if path.exists():  # of a run that was interrupted, or of a worker that was lost
        shutil.rmtree(path)
    return BagWriter(path)


def _walk(job: Job, settings: Settings, driver: Driver) -> Iterable[Labelled]:
    """Return one walk through the source, as the job has it."""
    if job.live_rate_hz is None:
        return driver.every_frame()
    return LiveCamera(driver, job.live_rate_hz, settings.adaptation.max_added_latency_ms)


def _outcome(
    job: Job, source: Source, driver: Driver, record: Record, boundary: Boundary, method: Method,
    provenance: Mapping[str, Any],
) -> Outcome:
    status, labels, scorer = method.status(), method.label_set, record.scorer
    return Outcome(
        job, labels.names, driver.seen, record.labelled, driver.dropped, boundary.warm_up_frames,
        record.evaluated, scorer.scores(), tuple(record.miou_of_frame),
        scorer.reliability_curve.points(), scorer.reliability_curve.calibration_error(),
        record.agreement_with_iss,
        tuple(Latency.of(phase, [1e3 * each_s for each_s in latencies_s])
              for phase, latencies_s in driver.latencies_s.items()),
        driver.adaptation_s / max(status['warm_up_frames'], 1), _peak_memory_mb(),
        status['objects'], status['adaptation_steps'], status['promoted'], status['why'],
        {**provenance, **_gpu_memory(method.device)},
        tuple(tuple(rgb) for rgb in labels.palette.tolist()), sum(source.skipped.values()),
        record.truth_as)


def _peak_memory_mb() -> float:
    """Return the most memory that this process has held, in MB; where unknown, what it holds."""
    status = Path('/proc/self/status')
    if status.is_file():
        # Not getrusage's ru_maxrss: a process inherits that from the one that started it.
        for line in status.read_text().splitlines():
            key, _, value = line.partition(':')
            if key == 'VmHWM':
                return int(value.split()[0]) * 1024 / 1e6
    return psutil.Process().memory_info().rss / 1e6


def _gpu_memory(device: torch.device) -> dict[str, float]:
    if device.type != 'cuda':
        return {}
    return {'peak_gpu_memory_mb': round(torch.cuda.max_memory_allocated(device) / 1e6, 1)}
