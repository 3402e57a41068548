"""Write a run's report, in three formats, into its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ditta_ros.evaluation.report.content import Content
from ditta_ros.evaluation.report.json_report import as_json
from ditta_ros.evaluation.report.markdown_report import as_markdown
from ditta_ros.evaluation.report.page import as_html
from ditta_ros.evaluation.report.results import Results
from ditta_ros.evaluation.report.strips import strips
from ditta_ros.evaluation.whole_file import write_whole


@dataclass(frozen=True)
class Written:
    """Where a report lies, and the sentences it begins with."""

    html: Path
    json: Path
    markdown: Path
    summary: tuple[str, ...]


def write_report(folder: Path) -> Written:
    """Write ``report.html``, ``report.json`` and ``report.md`` of the run in ``folder``.

    A run that was interrupted has a report, too, which says so.  Sources are read again for the
    pictures; one that is gone is said in the log and has none.
    """
    results = Results.read(folder)
    content = Content.of(results)
    written = Written(folder / 'report.html', folder / 'report.json', folder / 'report.md',
                      content.summary)
    for path, text in (
            (written.json, as_json(content)), (written.markdown, as_markdown(content)),
            (written.html, as_html(content, strips(results, folder)))):
        write_whole(path, text)
    return written
