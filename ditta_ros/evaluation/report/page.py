"""``report.html``: one file that needs no network, for a browser or a phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ditta_ros.evaluation.baselines import METHODS
from ditta_ros.evaluation.report import plots, plots_of_time
from ditta_ros.evaluation.report.content import Content
from ditta_ros.evaluation.report.drawing import Plot
from ditta_ros.evaluation.report.measures import MIOU
from ditta_ros.evaluation.report.results import protocol, short, title
from ditta_ros.evaluation.report.strips import Strip

TEMPLATE = 'report.html.j2'


def as_html(content: Content, strips: Sequence[Strip]) -> str:
    """Return the page: tables, plots and the pictures ``strips``, all within it."""
    environment = Environment(
        loader=PackageLoader('ditta_ros.evaluation.report', ''), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    results = content.results
    return environment.get_template(TEMPLATE).render(
        content=content, results=results, strips=strips, title=title, protocol=protocol,
        short=lambda source: short(source, results.sources), miou=MIOU, meanings=METHODS,
        sections=_sections(content))


def _sections(content: Content) -> list[dict[str, Any]]:
    """Return headings with their plots; those without any are left out."""
    results = content.results
    time = plots_of_time.over_time(results)
    left_out = len({each.job.source for each in results.outcomes if each.evaluated}) - len(time)
    note = f'{left_out} further sources with truth are in report.json.' if left_out > 0 else ''
    made: list[tuple[str, str, list[Plot]]] = [
        ('Over the length of the warm-up', '', plots.over_warm_up(results)),
        ('Swept settings', '', plots.sweeps(results)),
        ('How far reliability can be trusted', '', plots.by_reliability(results)),
        ('Over time', note, time),
        ('How long a label takes', '', plots_of_time.latencies(results))]
    return [{'name': name, 'note': about, 'plots': found} for name, about, found in made if found]
