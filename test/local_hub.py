"""A hub on this machine: the few answers of huggingface.co that a download needs, over HTTP."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = 'c0ffee' + '0' * 34
LARGE = ('.bin', '.pt', '.safetensors')  # what the hub keeps in git LFS


@dataclass
class Hub:
    """Models by owner/repository, each with the bytes of its files; it may lie about them."""

    endpoint: str
    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    revisions: set[str] = field(default_factory=lambda: {'main', 'v2', COMMIT})
    damaged: set[str] = field(default_factory=set)  # files that arrive with other bytes
    asked: list[str] = field(default_factory=list)  # files that were sent

    def add(self, name: str, folder: Path, *filenames: str) -> None:
        self.models[name] = {
            filename: (folder / filename).read_bytes() for filename in filenames}

    def environment(self, cache: Path) -> dict[str, str]:
        """Return the variables with which huggingface_hub takes this one for the hub."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith('HF_')}
        return kept | {'HF_ENDPOINT': self.endpoint, 'HF_HOME': str(cache), 'NO_PROXY': '*',
                       'HF_HUB_DISABLE_TELEMETRY': '1', 'COLUMNS': '200'}


def etag(filename: str, content: bytes) -> str:
    if filename.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b'blob %d\0' % len(content) + content).hexdigest()


# The library tries again and again, and sleeps for 23 s between its tries.
IMPATIENT = 'import time\ntime.sleep = lambda s: None\n'


def fetch_models(
    hub: Hub, cache: Path, *arguments: str, stderr: int = subprocess.PIPE, patient: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user does; not ``patient``: without sleep."""
    environment = hub.environment(cache)
    if not patient:
        cache.mkdir(parents=True, exist_ok=True)
        (cache / 'sitecustomize.py').write_text(IMPATIENT)
        environment['PYTHONPATH'] = str(cache)
    return subprocess.run(
        [sys.executable, '-m', 'ditta_ros.fetch_models', *arguments], stdout=subprocess.PIPE,
        stderr=stderr, text=True, timeout=300, check=False, env=environment,
        cwd=Path(__file__).parents[1])


@contextmanager
def serve() -> Iterator[Hub]:
    """Answer until the end of the ``with`` block."""
    hub = Hub('')
    server = ThreadingHTTPServer(
        ('127.0.0.1', 0), type('Answers', (_Answers,), {'hub': hub}))
    hub.endpoint = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    hub: Hub  # of the class that serve() makes

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: bool) -> None:
        parts = self.path.strip('/').split('/')
        if len(parts) != 5 or parts[2] != 'resolve':
            self._refuse('EntryNotFound')
            return
        name, revision, filename = '/'.join(parts[:2]), parts[3], parts[4]
        if name not in self.hub.models:
            self._refuse('RepoNotFound')
        elif revision not in self.hub.revisions:
            self._refuse('RevisionNotFound')
        elif filename not in self.hub.models[name]:
            self._refuse('EntryNotFound')
        else:
            self._send(filename, self.hub.models[name][filename], body)

    def _send(self, filename: str, content: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header('X-Repo-Commit', COMMIT)
        self.send_header('ETag', f'"{etag(filename, content)}"')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if body:
            self.hub.asked.append(filename)
            self.wfile.write(content[::-1] if filename in self.hub.damaged else content)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header('X-Error-Code', code)
        self.send_header('X-Repo-Commit', COMMIT)
        self.send_header('Content-Length', '0')
        self.end_headers()
