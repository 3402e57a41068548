"""Less precision and compiled code give the labels that the plain way gives."""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from ditta_ros.acceleration import Acceleration
from ditta_ros.checkpoint import Adapted
from ditta_ros.colours import Colours
from ditta_ros.demo.world import stream as demo_stream
from ditta_ros.frame import Frame
from ditta_ros.lessons import Progress
from ditta_ros.model_in_force import ModelInForce
from ditta_ros.opening import open_session
from ditta_ros.provenance import Provenance, base_hash
from ditta_ros.segmenter import Segmenter
from ditta_ros.session import Session
from ditta_ros.settings import SegmenterSettings, SettingError, Settings, from_flat
from random_models import save_random_segformer
from sessions import SIZE_PX, WARM_UP, finish, session, stream

TAU = 0.8
CPU = torch.device('cpu')
HALF = ('bfloat16', 'float16')
OTHER_SIZE_PX = (64, 64)
# Traces and guards as any compiler of torch, and runs what was traced without generating code.
traced = partial(torch.compile, backend='aot_eager', dynamic=False, fullgraph=True)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
needs_compiler = pytest.mark.skipif(
    shutil.which('g++') is None, reason='torch compiles for the CPU with g++, which is not here')


@pytest.fixture(scope='module')
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_segformer(tmp_path_factory.mktemp('model') / 'random')


@pytest.fixture
def segmenter(directory: Path) -> Segmenter:
    return Segmenter.load(str(directory))


def compiling(mode: str = 'default', dtype: str = 'float32') -> SegmenterSettings:
    return SegmenterSettings(
        dtype=dtype, compile=mode, compile_height_px=2 * SIZE_PX[0],
        compile_width_px=2 * SIZE_PX[1], max_side_px=max(SIZE_PX))


def model(segmenter: Segmenter, settings: SegmenterSettings, compiler=None) -> ModelInForce:
    made = ModelInForce(segmenter, None, Settings(segmenter=settings))
    if compiler is not None:
        made._acceleration = Acceleration(settings, segmenter.device, compiler)
    return made


def with_add_on(made: ModelInForce, segmenter: Segmenter, colours: Colours | None = None) -> None:
    """Put the frozen head in force as if it had been adapted."""
    made.put(Adapted(segmenter.head, Provenance.of(
        base_hash(segmenter), segmenter.label_set.names, Settings(), Progress(), colours)))


def agreement(one: ModelInForce, other: ModelInForce, frames: list[Frame]) -> float:
    """The least share of a frame's pixels that both label alike."""
    return min(
        float((one.label(each, TAU).label == other.label(each, TAU).label).double().mean())
        for each in frames)


@pytest.mark.parametrize('dtype', HALF)
def test_half_precision_labels_99_of_100_pixels_alike(dtype: str) -> None:
    embedded = Segmenter.load('')
    frames = [Frame.from_array(each.rgb) for each in demo_stream(5, 4)]
    exact = model(embedded, SegmenterSettings())
    half = model(embedded, SegmenterSettings(dtype=dtype))
    assert half.label(frames[0], TAU).features[0].dtype == getattr(torch, dtype)
    for _ in ('iss', 'adapted'):
        assert agreement(exact, half, frames) >= 0.99
        one, other = exact.label(frames[0], TAU), half.label(frames[0], TAU)
        assert other.reliability.dtype == torch.float32
        assert not torch.equal(one.reliability, other.reliability), 'computed alike: no test'
        with_add_on(exact, embedded)
        with_add_on(half, embedded)


def test_what_teaches_is_as_ever(segmenter: Segmenter) -> None:
    exact, half = model(segmenter, SegmenterSettings()), model(
        segmenter, SegmenterSettings(dtype='bfloat16'))
    frame = stream()[0]
    one, other = (each.label(frame, TAU, teaches=True) for each in (exact, half))
    assert torch.equal(one.reliability, other.reliability)
    assert all(map(torch.equal, one.features, other.features))
    assert other is half.teach(frame, other, TAU)
    assert not torch.equal(half.label(frame, TAU).reliability, one.reliability)


def test_a_warm_up_is_exact_and_what_follows_is_not(segmenter: Segmenter) -> None:
    exact = session(segmenter)
    half = Session(
        replace(exact.settings, segmenter=SegmenterSettings(dtype='bfloat16')), segmenter,
        session(segmenter)._tracker)
    for t, frame in enumerate(stream()):
        one, other = exact.feed(frame), half.feed(frame)
        assert torch.equal(one.reliability, other.reliability) == (t < WARM_UP)
        finish(exact)
        finish(half)
    learnt = [walk._model.adapted.head.state_dict() for walk in (exact, half)]
    assert all(torch.equal(learnt[0][name], learnt[1][name]) for name in learnt[0])
    assert half.status()['computing'] == 'bfloat16, not compiled'


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_nothing_is_compiled_for_another_head_or_other_colours(
    segmenter: Segmenter, dtype: str,
) -> None:
    segmenter = replace(segmenter, trained_on=Colours((0.5,) * 3, (0.2,) * 3))
    plain = model(segmenter, SegmenterSettings(dtype=dtype))
    fast = model(segmenter, compiling(dtype=dtype), traced)
    fast.warm_start()
    assert fast.status()['computing'] == f'{dtype}, compiled for 64 x 48 px'
    with torch.compiler.set_stance('fail_on_recompile'):
        assert agreement(plain, fast, stream()) > 0.999
        segmenter.head.classifier.weight.mul_(-1)
        for each in (plain, fast):
            with_add_on(each, segmenter, Colours((0.4, 0.5, 0.6), (0.1, 0.2, 0.3)))
        assert agreement(plain, fast, stream()) > 0.999


def test_images_of_another_size_are_labelled_without_and_told_once(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    plain, fast = model(segmenter, SegmenterSettings()), model(segmenter, compiling(), traced)
    fast.warm_start()
    with torch.compiler.set_stance('fail_on_recompile'):
        assert agreement(plain, fast, stream(3, OTHER_SIZE_PX)) == 1
    said = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert len(said) == 1
    assert 'images of 64 x 64 px' in said[0] and 'compile is for 64 x 48 px' in said[0]


def failing(error: Exception):
    def compiler(function):
        def compiled(*arguments):
            raise error
        return compiled
    return compiler


def test_what_cannot_be_compiled_is_told_and_labelled_without(
    segmenter: Segmenter, caplog: pytest.LogCaptureFixture,
) -> None:
    plain = model(segmenter, SegmenterSettings())
    fast = model(segmenter, compiling(), failing(RuntimeError('no\ncompiler')))
    fast.warm_start()
    assert 'segmenter.compile default failed, labels go on without it' in caplog.text
    assert 'RuntimeError: no compiler' in caplog.text
    assert fast.status()['computing'] == 'float32, not compiled, as that failed'
    assert fast._acceleration.is_ready(), 'it would be tried again on the thread that labels'
    assert agreement(plain, fast, stream()) == 1


def test_memory_that_runs_out_is_left_to_the_session(segmenter: Segmenter) -> None:
    fast = Acceleration(compiling(), CPU, failing(torch.OutOfMemoryError('no room')))
    with fast.starting(SIZE_PX):
        pass
    with pytest.raises(torch.OutOfMemoryError):
        fast.run(SIZE_PX, torch.neg, torch.ones(2))
    assert str(fast) == 'float32, compiled for 64 x 48 px', 'the next frame may have room'


def test_what_a_graph_made_outlives_the_next_frame() -> None:
    memory = torch.zeros(2)

    def graph(function):
        return lambda values: memory.copy_(function(values))

    fast = Acceleration(compiling('reduce-overhead'), CPU, graph)
    with fast.starting(SIZE_PX):
        first, second = (fast.run(SIZE_PX, torch.neg, torch.full((2,), x)) for x in (1.0, 2.0))
    assert (first.tolist(), second.tolist()) == ([-1, -1], [-2, -2])


@pytest.mark.parametrize(('mode', 'ready'), [('default', True), ('reduce-overhead', False)])
def test_cuda_graphs_are_recorded_by_each_thread(mode: str, ready: bool) -> None:
    fast, there = Acceleration(compiling(mode), CPU, traced), []
    assert not fast.is_ready()
    with fast.starting(SIZE_PX):
        pass
    assert fast.is_ready()
    other = threading.Thread(target=lambda: there.append(fast.is_ready()))
    other.start()
    other.join()
    assert there == [ready]


def test_compiling_needs_the_size_of_the_images() -> None:
    with pytest.raises(SettingError, match=r'size of the images.*got 640 x 0: set segmenter.comp'):
        SegmenterSettings(compile='default', compile_width_px=640)


@needs_compiler
def test_generated_code_labels_as_torch_does(directory: Path) -> None:
    # A minute, where nothing of it is in torch's cache.
    plain, fast = (
        open_session(from_flat({
            'segmenter.model': str(directory), 'segmenter.device': 'cpu', 'warm_up.amount': 0.0,
            'segmenter.compile': mode, 'segmenter.compile_height_px': 64,
            'segmenter.compile_width_px': 96})) for mode in ('off', 'default'))
    assert fast.status()['computing'] == 'float32, compiled for 96 x 64 px'
    with torch.compiler.set_stance('fail_on_recompile'):
        for _ in ('iss', 'adapted'):
            assert agreement(plain._model, fast._model, stream(6, (64, 96))) > 0.999
            for each in (plain, fast):
                with_add_on(each._model, each._segmenter)


@needs_gpu
@pytest.mark.parametrize('mode', ['default', 'reduce-overhead'])
@pytest.mark.parametrize('dtype', ['float32', *HALF])
def test_compiled_for_a_gpu_labels_agree(directory: Path, mode: str, dtype: str) -> None:
    gpu = Segmenter.load(str(directory), 'cuda')
    frames = [replace(each, rgb=each.rgb.cuda()) for each in stream()]
    plain, fast = model(gpu, SegmenterSettings(dtype=dtype)), model(gpu, compiling(mode, dtype))
    fast.warm_start()
    found = []

    def label() -> None:
        fast.warm_start()
        with torch.compiler.set_stance('fail_on_recompile'):
            for _ in ('iss', 'adapted'):
                found.append(agreement(plain, fast, frames))
                for each in (plain, fast):
                    with_add_on(each, gpu)

    there = threading.Thread(target=label)  # as the node does
    there.start()
    there.join()
    assert 'not compiled' not in fast.status()['computing']
    assert len(found) == 2 and min(found) > (0.999 if dtype == 'float32' else 0.99)
