"""From settings to a session: models are found, loaded, and put on the device."""

from __future__ import annotations

import logging
from pathlib import Path

from ditta_ros.device import choose_device
from ditta_ros.memory_budget import check_budget
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import SettingError, Settings
from ditta_ros.tracker import Sam2Tracker

_log = logging.getLogger(__name__)


def open_session(settings: Settings) -> Session:
    """Open a session on the models that ``settings`` name; raises ModelError, SettingError."""
    device = choose_device(settings.segmenter.device)
    segmenter = Segmenter.open(settings.segmenter, device, settings.adaptation.seed)
    adapts = settings.warm_up.amount > 0
    tracker = Sam2Tracker.load(settings.tracker, device) if adapts else None
    if tracker is not None:
        check_budget(settings, segmenter.head, tracker)
    session = Session(
        settings, segmenter, tracker, tracker_sha256=tracker.sha256() if tracker else '')
    if settings.checkpoint.load_at_start:
        _load_at_start(session, settings.checkpoint.path)
    session.warm_start()
    return session


def _load_at_start(session: Session, name: str) -> None:
    path = Path(name)
    if not name:
        raise SettingError(
            'checkpoint.load_at_start needs a checkpoint.path, got none: name the file')
    if path.exists():
        session.load(path)
    else:
        _log.info(
            'checkpoint.path %s is not there yet, nothing is loaded at start; %s', path,
            session.status()['why'])
