"""What came of a soak, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ditta_ros.soak.fault import Fault
from ditta_ros.soak.fuzz import Fuzzed
from ditta_ros.soak.kills import Killed
from ditta_ros.soak.slope import slope
from ditta_ros.soak.streams import Streamed

LABELLED = 0.99  # of the frames that arrive during a fault, at least


class Line(NamedTuple):
    """One line of the table."""

    what: str
    how_many: str
    came_of_it: str
    well: bool


@dataclass
class Result:
    """What the parts that were run have found."""

    streams: list[Streamed] = field(default_factory=list)
    fuzzed: list[Fuzzed] = field(default_factory=list)
    killed: list[Killed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def lines(self) -> Iterator[Line]:
        """Yield the table's lines."""
        for streamed in self.streams:
            yield _memory_line(streamed)
            yield Line(
                f'frames lost, {streamed.memory.what}', f'{streamed.fed} frames',
                f'{streamed.lost} lost', streamed.lost == 0)
        for each in self.faults:
            share = each.labelled / each.sent if each.sent else 0.0
            yield Line(
                f'fault: {each.name}', f'{each.sent} frames',
                f'{each.sent - each.labelled} lost; seen: {each.cause or "nothing"}',
                share >= LABELLED and bool(each.cause))
        for killed in self.killed:
            yield Line(
                'kills while saving', f'{killed.kills} kills',
                f'{killed.kills - len(killed.wrong)} survived, {killed.halfway} came halfway, '
                f'{killed.left_over} files left over at most', not killed.wrong)
        for done in self.fuzzed:
            yield _fuzzed_line(done)

    @property
    def well(self) -> bool:
        """Whether every line is as it must be."""
        return all(line.well for line in self.lines())

    def as_json(self) -> dict[str, Any]:
        """Return all that was found, as JSON holds it."""
        return {
            'lines': [line._asdict() for line in self.lines()],
            'memory': [vars(streamed.memory) for streamed in self.streams],
            'fuzzed': [vars(each) for each in self.fuzzed],
            'killed': [vars(each) for each in self.killed],
            'faults': [vars(each) for each in self.faults]}


def _memory_line(streamed: Streamed) -> Line:
    memory = streamed.memory
    found = slope(memory.units, memory.memory_mb)
    return Line(
        f'memory slope, {memory.what}', f'{memory.units[-1]} {memory.what}',
        f'{found.mb_per_1000:+.3f} MB per 1000 (95 %: {found.low:+.3f} to {found.high:+.3f}), '
        f'p = {found.p:.3f} that it is zero', found.is_zero)


def _fuzzed_line(done: Fuzzed) -> Line:
    defects = '; '.join(f'{count} x {place}' for place, count in done.defects.items())
    return Line(
        f'inputs: {done.reader}', f'{done.inputs} inputs',
        f'{done.read} read, {done.inputs - done.read - sum(done.defects.values())} refused, '
        f'{f"DEFECTS: {defects}" if defects else "no defect"}', not done.defects)
