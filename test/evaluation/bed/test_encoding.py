"""Features are kept by picture and by what the network makes of its colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ditta_ros.evaluation.bed.encoding import EncodingOnce
from ditta_ros.frame import Frame
from ditta_ros.segmenter import Segmenter
from random_models import save_random_segformer


def test_a_picture_is_encoded_once(tmp_path: Path) -> None:
    plain = Segmenter.load(str(save_random_segformer(tmp_path)))
    once = EncodingOnce.around(plain)
    black, white = (torch.full((32, 48, 3), grey, dtype=torch.uint8) for grey in (0, 255))
    first = once.encode(Frame(0, '', black))
    assert once.encode(Frame(9, '', black.clone())) is first
    assert once.encode(black) is first
    other = once.encode(Frame(0, '', white))
    recoloured = replace(once, mean=once.mean + .1)
    for got, segmenter, picture in (
            (first, plain, black), (other, plain, white),
            (recoloured.encode(black), replace(plain, mean=plain.mean + .1), black)):
        for one, expected in zip(got, segmenter.encode(picture), strict=True):
            assert torch.equal(one, expected)
    assert not torch.equal(recoloured.encode(black)[0], first[0])
