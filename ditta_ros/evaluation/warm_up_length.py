"""How much of a stream a method adapts to, and which frames are scored after it.

========================  ===============================================================
``10%``                   the first tenth teaches (W2F); the frames after it are scored
``30 frames``, ``5 s``    so many frames, or so long by the stamps; those after are scored
``full``                  all frames teach; then all are labelled again, and scored
========================  ===============================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ditta_ros.settings import SettingError, WarmUpSettings
from ditta_ros.warm_up import length_frames

_FORM = re.compile(r'(\d+(?:\.\d+)?) ?(%|frames?|s)')
_UNITS = {'%': 'percent', 'frame': 'frames', 'frames': 'frames', 's': 'seconds'}
_TEXTS = {'percent': '{:g}%', 'frames': '{:g} frames', 'seconds': '{:g} s', 'full': 'full'}


@dataclass(frozen=True)
class WarmUpLength:
    """A warm-up of ``amount`` in ``unit``: 'percent', 'frames', 'seconds', or 'full' (100)."""

    unit: str
    amount: float

    @classmethod
    def parse(cls, text: str) -> WarmUpLength:
        """Read one of the module's forms; raises SettingError."""
        text = text.strip()
        if text == 'full':
            return cls('full', 100.0)
        form = _FORM.fullmatch(text)
        made = cls(_UNITS[form[2]], float(form[1])) if form else None
        if (made is None or made.amount <= 0 or (made.unit == 'percent' and made.amount >= 100)
                or (made.unit == 'frames' and not made.amount.is_integer())):
            raise SettingError(
                '--warmup takes a share such as 10% (above 0, below 100), 30 frames, 5 s, or '
                f'full, got {text!r}')
        return made

    @property
    def text(self) -> str:
        """The form that equal lengths have in common."""
        return _TEXTS[self.unit].format(self.amount)

    @property
    def whole(self) -> bool:
        """Whether all frames teach and all are scored."""
        return self.unit == 'full'

    def values(self, stream_length_frames: int) -> dict[str, Any]:
        """Return the parameters of ``warm_up`` for a stream of so many frames."""
        return {
            'warm_up.unit': 'percent' if self.whole else self.unit,
            'warm_up.amount': self.amount,
            'warm_up.stream_length_frames': stream_length_frames}


class Boundary:
    """Tells a stream's scored frames from those of its warm-up, whatever was labelled of it."""

    def __init__(self, rule: WarmUpSettings, whole: bool) -> None:
        """``whole``: the warm-up has been, and every frame is scored."""
        self.warm_up_frames = 0  # of the stream, as far as is known
        self._rule = rule
        self._whole = whole
        self._first_stamp_ns: int | None = None

    def passed(self, index: int, stamp_ns: int) -> bool:
        """Whether frame ``index`` is scored; to be asked in the order of the frames.

        The first frame must be asked for; of the others some may be left out.
        """
        if self._first_stamp_ns is None:
            self._first_stamp_ns = stamp_ns
        frames = length_frames(self._rule)
        if frames is None:
            passed = stamp_ns - self._first_stamp_ns >= self._rule.amount * 1e9
        else:
            passed = index >= frames
        if self._whole or not passed:
            self.warm_up_frames = index + 1
        elif frames is not None:
            self.warm_up_frames = frames
        return self._whole or passed
