"""Messages of one camera -> frames; a camera that changes its encoding is noticed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sensor_msgs.msg import Image

from ditta_ros.frame import Frame
from ditta_ros.ros.messages import CameraImage, to_frame


class Reader:
    """Makes frames, on ``device``, of one camera's messages.

    ``changed`` is given one sentence where the encoding is not that of the message before: the
    colours may be others now.  A CompressedImage's ``format`` counts as its encoding.
    """

    def __init__(self, device: torch.device, changed: Callable[[str], None]) -> None:
        self._device, self._changed = device, changed
        self._encoding = ''

    def __call__(self, message: CameraImage) -> Frame:
        """Return the message's frame.  Raises MessageError, and forgets such a message."""
        frame = to_frame(message, self._device)
        encoding = message.encoding if isinstance(message, Image) else message.format
        if self._encoding not in ('', encoding):
            self._changed(f'the encoding changed from {self._encoding} to {encoding}')
        self._encoding = encoding
        return frame
