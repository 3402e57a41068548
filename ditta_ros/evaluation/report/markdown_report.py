"""``report.md``: the sentences and tables, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ditta_ros.evaluation.report.content import Content
from ditta_ros.evaluation.report.measures import Measure
from ditta_ros.evaluation.report.results import ISS, short, title
from ditta_ros.evaluation.report.rows import Mean, Row


def as_markdown(content: Content) -> str:
    """Return the report as Markdown; every table fits its columns' own widths."""
    results = content.results
    lines = ['# Evaluation', '', *content.summary, '']
    lines += [f'> {_plain(note)}\n' for note in content.notes]
    if content.methods:
        lines += ['## Methods', '', _what(content), '',
                  *_table(content.methods, content.measures), '']
    if content.variants:
        lines += ['## Variants', '', *_table(content.variants, content.measures), '']
    if content.classes:
        lines += [f'## IoU by class, % (warm-up {results.headline})', '',
                  *_lines(['class', *map(title, results.methods)], (
                      [row.name, *(_cell_of_class(row.means.get(method))
                                   for method in results.methods)]
                      for row in content.classes)), '']
    if results.sources:
        lines += ['## Sources', '',
                  *(f'- {_plain(short(each, results.sources))}' for each in results.sources), '']
    if content.missing:
        lines += ['## Jobs without an outcome', '',
                  *(f'- {_plain(each)}' for each in content.missing), '']
    if content.provenance:
        lines += ['## Provenance', '', *_lines(['what', 'value'], content.provenance), '']
    return '\n'.join(lines)


def _what(content: Content) -> str:
    units = '; '.join(f'{each.name}: {each.about}' for each in content.measures)
    return (f'Means over sources and seeds; n counts them. In brackets the change against '
            f'{title(ISS)} on the same frames. {units}.')


def _table(rows: Sequence[Row], measures: Sequence[Measure]) -> Iterator[str]:
    head = ['method', 'warm-up', 'n', *(f'{each.name} ({each.unit})' for each in measures)]
    return _lines(head, (
        [f'{title(row.method)} {row.variant}'.strip(), row.under, str(row.count),
         *(_cell(each, row.means[each.key]) for each in measures)] for row in rows))


def _cell(measure: Measure, mean: Mean) -> str:
    change = measure.change_text(mean.change) if measure.compared else ''
    return f'{measure.text(mean.value)} ({change})' if change else measure.text(mean.value)


def _cell_of_class(mean: Mean | None) -> str:
    if mean is None or not mean.count:
        return ''
    return f'{mean.value:.1f} ({mean.change:+.1f})' if mean.pairs else f'{mean.value:.1f}'


def _lines(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]],
           ) -> Iterator[str]:
    yield f'| {" | ".join(map(_plain, head))} |'
    yield f'|{"---|" * len(head)}'
    for row in rows:
        yield f'| {" | ".join(map(_plain, row))} |'


def _plain(text: str) -> str:
    """Return ``text`` so that Markdown takes nothing in it for a column, a line or a tag."""
    return ' '.join(text.replace('|', r'\|').replace('<', '&lt;').split())
