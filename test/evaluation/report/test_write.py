"""The report as a whole: a page that needs no network, and its numbers and text."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ditta_ros.evaluation.outcome import Job, Run, write_outcome, write_run
from ditta_ros.evaluation.report.write import Written, write_report
from made_outcomes import without_truth

VOID = {'meta', 'link', 'img', 'br'}
LINKS = ('src', 'href', 'srcset', 'data', 'action', 'poster')


class Page(HTMLParser):
    """What a page links to and shows; fails where its tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.images: list[dict] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in LINKS]
        if tag == 'img':
            self.images.append(dict(attrs))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def words(self) -> str:
        return ' '.join(' '.join(self.text).split())


@pytest.fixture(scope='module')
def report(made_once: Path) -> Written:
    return write_report(made_once / 'run')


def test_the_page_needs_nothing_but_itself(report: Written) -> None:
    text = report.html.read_text()
    page = Page(text)
    assert page.links and all(link.startswith('data:') for link in page.links)
    assert 'url(' not in text and '@import' not in text
    assert 'script' not in page.tags and 'iframe' not in page.tags
    assert all(image['alt'] and image['src'].startswith('data:image/') for image in page.images)
    # six moments of a frame, its truth and two methods; reliability, time, two latencies
    assert len(page.images) == 6 * 4 + 4


def test_the_page_says_what_there_is_to_say(report: Written, source: str) -> None:
    words = Page(report.html.read_text()).words
    for phrase in (
            'Adapting helps on these recordings. DiTTA with a warm-up of 25%: mIoU 50.0 to 60.0 %',
            '2 of 3 jobs have finished', f'tent on {source}, warm-up 25%, seed 0',
            'mIoU over time', 'Right pixels by reliability', 'Latency after the warm-up',
            'Frames to look at', '100 % right', 'machine.cpu a CPU',
            'evaluate <b>world</b>'):  # which would be bold, were it not escaped
        assert phrase in words, phrase
    assert 'nan' not in words.lower().split()


def test_the_numbers(report: Written) -> None:
    made = json.loads(report.json.read_text())
    assert made['complete'] is False
    assert made['jobs']['finished'] == 2 and made['jobs']['planned'] == 3
    iss, ditta = made['methods']
    assert (ditta['method'], ditta['warm_up'], ditta['outcomes']) == ('ditta', '25%', 1)
    assert ditta['means']['miou']['change'] == pytest.approx(10)
    assert ditta['means']['miou']['pairs'] == 1
    assert iss['means']['miou']['change'] is None
    assert [each['job']['method'] for each in made['outcomes']] == ['iss', 'ditta']
    assert made['summary'][0].startswith('Adapting helps')


def test_the_text(report: Written) -> None:
    lines = report.markdown.read_text().splitlines()
    assert lines[0] == '# Evaluation'
    [row] = [line for line in lines if line.startswith('| DiTTA | 25% |')]
    assert row.split(' | ')[2:4] == ['1', '60.0 (+10.0)']
    assert '> This report is partial: 2 of 3 jobs have finished.' in '\n'.join(lines)
    assert '| command | evaluate &lt;b>world&lt;/b> |' in lines
    tables = [line for line in lines if line.startswith('|')]
    assert len({line.count('|') for line in tables[:4]}) == 1  # as many cells as the head


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    write_run(Run((Job('a', 'iss', '25%'),)), tmp_path)
    written = write_report(tmp_path)
    assert written.summary == ('No job has finished, so there is nothing to report yet.',)
    page = Page(written.html.read_text())
    assert '0 of 1 jobs have finished' in page.words and not page.images
    assert json.loads(written.json.read_text())['methods'] == []
    assert 'nothing to report' in written.markdown.read_text()


def test_recordings_without_truth(tmp_path: Path) -> None:
    jobs = (Job('gone', 'iss', '25%'), Job('gone', 'ditta', '25%'))
    write_run(Run(jobs), tmp_path)
    for job, flicker in zip(jobs, (.3, .1), strict=True):
        write_outcome(without_truth(job, flicker), tmp_path)
    written = write_report(tmp_path)
    words = Page(written.html.read_text()).words
    assert 'labels flicker less' in words and 'mIoU' not in words
    assert 'partial' not in words and json.loads(written.json.read_text())['complete'] is True


def test_a_report_is_written_anew(run: Path, source: str) -> None:
    (run / 'report.json').write_text('of before')
    write_outcome(without_truth(Job(source, 'tent', '25%'), .1), run)
    assert json.loads(write_report(run).json.read_text())['complete'] is True
