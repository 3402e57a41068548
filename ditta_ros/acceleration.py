"""How labels are computed where nothing is learnt from them: in less precision, and compiled.

What teaches is computed as ever: in float32, by PyTorch's own kernels.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ditta_ros.errors import one_line
from ditta_ros.faults import FAULTS, out_of_memory
from ditta_ros.settings import SegmenterSettings

_log = logging.getLogger(__name__)

Size = tuple[int, int]
Compiler = Callable[[Callable[..., Any]], Callable[..., Any]]


class Acceleration:
    """Runs functions of tensors as ``segmenter.dtype`` and ``segmenter.compile`` say.

    Compiled code is for images of one size, and for any weights of the shapes that it was compiled
    with: an adapted head needs no compiling.  Images of other sizes, and all where compiling
    failed, are labelled without it, in the same precision.
    """

    def __init__(
        self, settings: SegmenterSettings, device: torch.device, compiler: Compiler | None = None,
    ) -> None:
        """``compiler`` None: torch's, in the mode that ``settings`` name."""
        self._mode = settings.compile
        self.wanted_px: Size | None = None  # height and width of images to compile for
        if self._mode != 'off':
            self.wanted_px = settings.compile_height_px, settings.compile_width_px
        self._device, self._dtype = device, getattr(torch, settings.dtype)
        # A whole function becomes one graph or none: what is compiled does not depend on chance.
        self._compiler = compiler or partial(
            torch.compile, mode=settings.compile, dynamic=False, fullgraph=True)
        self._compiled: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._size_px: Size | None = None  # as the network sees it; None: nothing is compiled
        self._ready_in: threading.Thread | None = None
        self._warned = False  # of images of another size
        self.failed = False  # to compile: nothing is compiled any more

    def __str__(self) -> str:
        dtype = str(self._dtype).removeprefix('torch.')
        if self._size_px is None:
            return f'{dtype}, not compiled{", as that failed" if self.failed else ""}'
        return f'{dtype}, compiled for {self._size_px[1]} x {self._size_px[0]} px'

    def run(self, size_px: Size, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``function`` makes of ``arguments``, from a frame of ``size_px`` (H, W).

        ``function`` returns tensors, one or a tuple, and changes nothing.  Where its compiled
        form fails, nothing is compiled from then on; memory that runs out is raised.
        """
        with self._precision():
            if size_px == self._size_px:
                try:
                    return self._run_compiled(function, arguments)
                except FAULTS as error:
                    if out_of_memory(error):
                        raise
                    self._give_up(error)
            elif self._size_px is not None and not self._warned:
                self._warned = True
                _log.warning(
                    'images of %d x %d px are labelled by what is not compiled, slower: '
                    'segmenter.compile is for %d x %d px; set segmenter.compile_width_px and '
                    'compile_height_px to the size of the camera', *size_px[::-1],
                    *self._size_px[::-1])
            return function(*arguments)

    def is_ready(self) -> bool:
        """Whether there is nothing to compile, and no CUDA graph to record, in this thread."""
        if self.wanted_px is None:
            return True
        every_thread = self._mode != 'reduce-overhead'
        return self._ready_in is not None and (
            every_thread or self._ready_in is threading.current_thread())

    @contextmanager
    def starting(self, size_px: Size) -> Iterator[None]:
        """Compile what is run within for images of ``size_px`` (H, W), as the network sees them.

        What fails of it is logged.
        """
        if self.wanted_px is None:
            yield
            return
        first, began_s = self._ready_in is None, time.monotonic()
        if first:
            _log.info(
                'compiling for images of %d x %d px, which takes minutes where torch has none of '
                'it in its cache (TORCHINDUCTOR_CACHE_DIR)', *size_px[::-1])
        self._size_px = size_px
        try:
            yield
        except FAULTS as error:
            self._give_up(error)
        self._ready_in = threading.current_thread()
        if first and not self.failed:
            _log.info('compiled in %.0f s', time.monotonic() - began_s)

    def _run_compiled(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if function not in self._compiled:
            self._compiled[function] = self._compiler(function)
        made = self._compiled[function](*arguments)
        # A CUDA graph writes to the same memory each time, and the next frame needs this one's.
        return _copied(made) if self._mode == 'reduce-overhead' else made

    def _precision(self) -> AbstractContextManager[Any]:
        if self._dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, self._dtype)

    def _give_up(self, error: Exception) -> None:
        _log.error(
            'segmenter.compile %s failed, labels go on without it, slower: %s: %s', self._mode,
            type(error).__name__, one_line(error), exc_info=error)
        self.wanted_px, self._size_px, self.failed = None, None, True
        self._compiled.clear()


def _copied(made: Any) -> Any:
    return made.clone() if isinstance(made, Tensor) else tuple(each.clone() for each in made)
