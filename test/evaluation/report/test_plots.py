from __future__ import annotations

import base64
import math
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes

from ditta_ros.evaluation.outcome import Job, Latency, Outcome
from ditta_ros.evaluation.report.drawing import Plot
from ditta_ros.evaluation.report.plots import by_reliability, over_warm_up, sweeps
from ditta_ros.evaluation.report.plots_of_time import latencies, over_time
from ditta_ros.evaluation.report.results import Results
from made_outcomes import outcome, scores, without_truth


def lines(plot: Plot) -> dict[str, tuple[list[float], list[float]]]:
    return {str(line.get_label()): (np.ravel(line.get_xdata()).tolist(),
                                    np.ravel(line.get_ydata()).tolist())
            for line in axes(plot).lines}


def axes(plot: Plot) -> Axes:
    [found] = plot.figure.axes
    return found


def both(warm_up: str, frames: int, before: float, after: float) -> list[Outcome]:
    return [outcome(Job('a', method, warm_up), scores(miou), warm_up_frames=frames)
            for method, miou in (('iss', before), ('ditta', after))]


def test_over_the_warm_up() -> None:
    plots = over_warm_up(Results((
        *both('full', 20, .55, .7), *both('10%', 2, .5, .6), *both('25%', 5, .5, .65))))
    assert [plot.title.split()[0] for plot in plots] == ['mIoU', 'wIoU', 'mVC8', 'mVC16']
    drawn = lines(plots[0])
    assert list(drawn) == ['SegFormer (ISS)', 'DiTTA']
    x, y = drawn['DiTTA']
    assert x == pytest.approx([10, 25, 100]) and y == pytest.approx([60, 65, 70])
    assert axes(plots[0]).get_xlabel() == 'warm-up (% of frames)'
    assert axes(plots[0]).get_ylabel() == 'mIoU (%)'


def test_one_warm_up_is_no_line() -> None:
    assert over_warm_up(Results(tuple(both('10%', 2, .5, .6)))) == []


def test_what_was_not_measured_is_not_drawn() -> None:
    made = [outcome(Job('a', 'iss', under), scores(mvc16=math.nan), warm_up_frames=frames)
            for under, frames in (('10%', 2), ('25%', 5))]
    titles = [plot.title for plot in over_warm_up(Results(tuple(made)))]
    assert titles == [f'{name} over the warm-up' for name in ('mIoU', 'wIoU', 'mVC8')]


def test_without_truth_flicker_is_drawn() -> None:
    made = [without_truth(Job('a', 'iss', under), .2, warm_up_frames=frames)
            for under, frames in (('10%', 2), ('25%', 5))]
    [plot] = over_warm_up(Results(tuple(made)))
    assert lines(plot)['SegFormer (ISS)'][1] == pytest.approx([20, 20])


def variants(name: str, values: list) -> tuple[Outcome, ...]:
    return (*both('25%', 5, .5, .6), *(
        outcome(Job('a', 'ditta', '25%', 0, {name: value}, f'{name}={value}'),
                scores(.6 + index / 100)) for index, value in enumerate(values)))


def test_a_sweep_of_numbers() -> None:
    miou, mvc8 = sweeps(Results(variants('adaptation.passes', [10, 1, 2])))
    drawn = lines(miou)
    assert drawn['DiTTA'] == (pytest.approx([1, 2, 10]), pytest.approx([61, 62, 60]))
    assert drawn['SegFormer (ISS)'][1] == pytest.approx([50, 50])
    assert drawn['default'][0] == [5, 5]
    assert axes(miou).get_xlabel() == 'adaptation.passes'
    assert mvc8.title == 'mVC8 over adaptation.passes'


def test_a_sweep_of_words() -> None:
    plot, _ = sweeps(Results(variants('adaptation.batch_norm', ['eval', 'train'])))
    assert lines(plot)['DiTTA'] == (pytest.approx([0, 1]), pytest.approx([60, 61]))
    assert [text.get_text() for text in axes(plot).get_xticklabels()] == ['eval', 'train']
    assert 'default' not in lines(plot)


def test_right_pixels_by_reliability() -> None:
    """Two outcomes: 50 and 150 pixels in the last bin, of which 50 and 100 are right."""
    made = [outcome(Job(source, 'iss', '25%'), reliability_curve=(
        (0.0, 0, 0), (.5, pixels, right))) for source, pixels, right in (
        ('a', 50, 50), ('b', 150, 100))]
    [plot] = by_reliability(Results(tuple(made)))
    assert lines(plot)['SegFormer (ISS)'] == ([.75], [75])
    assert [bar.get_height() for bar in axes(plot).patches] == [0, 100]


def test_mIoU_over_time() -> None:  # noqa: N802
    made = [*both('25%', 5, .5, .6), outcome(Job('a', 'ditta', '25%', 1), scores(.8))]
    [plot] = over_time(Results(tuple(made)))
    x, y = lines(plot)['DiTTA']
    assert x == list(range(20))
    assert y[:2] == pytest.approx([70, 70.2])  # the mean of both seeds
    [shade] = axes(plot).patches
    assert shade.get_x() == -.5 and shade.get_width() == 5  # frames 0 to 4


def test_over_time_needs_frames_with_truth() -> None:
    few = outcome(Job('a', 'iss', '25%'), miou_of_frame=((19, .5),))
    assert over_time(Results((few,))) == []


def test_latency_of_each_phase() -> None:
    made = [outcome(Job(source, 'iss', '25%'), latencies=(
        Latency.of('warm_up', [5.0]), Latency.of('frozen', [value] * count),
        Latency.of('adapt', []))) for source, value, count in (('a', 10.0, 3), ('b', 20.0, 1))]
    warm_up, frozen = latencies(Results(tuple(made)))
    assert warm_up.title == 'Latency while warming up'
    [steps] = axes(frozen).patches
    values, edges, _ = steps.get_data()  # type: ignore[attr-defined]
    assert values.tolist() == [75, 0, 0, 25]
    assert edges == pytest.approx([10, 12.5893, 15.8489, 19.9526, 25.1189])
    assert axes(frozen).get_xlabel() == 'from frame to label (ms)'


def test_a_plot_is_a_picture_of_its_own() -> None:
    [plot] = over_time(Results(tuple(both('25%', 5, .5, .6))))
    kind, data = plot.uri.split(',')
    assert kind == 'data:image/svg+xml;base64'
    picture = ElementTree.fromstring(base64.b64decode(data))
    links = [value for element in picture.iter() for key, value in element.attrib.items()
             if key.endswith('href')]
    assert links and all(link.startswith('#') for link in links)
    assert not list(picture.iter('{http://www.w3.org/2000/svg}text'))  # no font is needed
