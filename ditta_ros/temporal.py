"""The temporal add-on: attention to the previous frame (Eq. 1) and fusion with it (Eq. 3)."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.labels import label_dtype
from ditta_ros.segmenter import Decoded, Head, entropy, relative_to_largest
from ditta_ros.upsampled import Upsampling

WINDOW_RADIUS = 5  # a query sees (2 * 5 + 1)^2 keys of the previous frame
TILE_ROWS, TILE_COLUMNS = 4, 12  # queries of one tile; they share one window of keys
FAR = -1e30  # added to the score of a key that a query does not see


def add_on(head: Head, feature: Tensor, previous: Decoded) -> Tensor:
    """Logits of S_add (Eq. 1), [B, C, h, w]: the previous frame's, carried to this frame.

    ``feature`` [B, D, h, w] is this frame's fused feature, ``previous`` the head's output on the
    previous frame, kept from then.
    """
    return attend(head.query(feature), head.key(previous.feature), previous.logits)


def attend(query: Tensor, key: Tensor, value: Tensor, radius: int = WINDOW_RADIUS) -> Tensor:
    """Attend from every position to the positions within ``radius`` rows and columns of it.

    softmax(Q K^T) V with ``query`` and ``key`` [B, D, h, w] and ``value`` [B, C, h, w], unscaled;
    the window is cut off at the border of the grid, not shifted.  Returns [B, C, h, w].
    """
    queries, keys, values = (maps.movedim(1, -1) for maps in (query, key, value))
    frames = zip(queries, keys, values, strict=True)
    return torch.stack([attend_frame(q, k, v, radius) for q, k, v in frames]).movedim(-1, 1)


def attend_frame(
    query: Tensor, key: Tensor, value: Tensor, radius: int = WINDOW_RADIUS,
) -> Tensor:
    """:func:`attend` on one frame, channels last: [h, w, D] twice and [h, w, C] to [h, w, C].

    Exact: a tile of queries shares one window of keys, its own area and a halo of ``radius``,
    and a mask takes from it what a query does not see.  The grid is cut into strips of
    ``TILE_COLUMNS``; in a strip with its halo, the windows of the tiles are overlapping views.
    Half-precision maps are attended in float32: unscaled scores are too large for less.
    """
    dtype, exact = value.dtype, torch.promote_types(query.dtype, torch.float32)
    query, key, value = query.to(exact), key.to(exact), value.to(exact)
    height, width = query.shape[:2]
    rows = _unseen(0, height, -(-height // TILE_ROWS), TILE_ROWS, radius, query)

    @functools.cache  # all strips but the outermost share one mask
    def mask(before: int, beyond: int) -> Tensor:
        """Mask of a strip that has ``before`` columns to its left and ``beyond`` from its left."""
        columns = _unseen(before, before + beyond, 1, TILE_COLUMNS, radius, query)
        both = rows[:, :, None, :, None] + columns[:, None, :, None, :]
        return both.flatten(3).flatten(1, 2).to(exact)  # [tiles, queries, keys]

    strips = []
    for left in range(0, width, TILE_COLUMNS):
        q, k, v = (
            _windows(maps, left, len(rows), halo)
            for maps, halo in ((query, 0), (key, radius), (value, radius)))
        seen = mask(min(left, radius), min(width - left, TILE_COLUMNS + radius))
        score = torch.baddbmm(seen, q, k.mT)  # [tiles, queries, keys]
        out = score.softmax(-1) @ v  # [tiles, queries, C]
        strips.append(out.unflatten(1, (TILE_ROWS, TILE_COLUMNS)).flatten(0, 1))
    return torch.cat(strips, 1)[:height, :width].to(dtype)


def fuse(prob: Tensor, prob_add: Tensor, tau: float) -> Tensor:
    """Fuse one frame's class probabilities S_t and S_add (Eq. 3), both [C, H, W].

    Where S_t is less reliable than ``tau``, the two are averaged by their reliabilities;
    elsewhere, and where both reliabilities are 0, S_t stays.  Returns probabilities [C, H, W].
    """
    weight, weight_add = relative_to_largest(entropy(prob)), relative_to_largest(entropy(prob_add))
    total = weight + weight_add
    fused = (weight * prob + weight_add * prob_add) / total  # NaN where total is 0
    return torch.where((weight < tau) & (total > 0), fused, prob)


@torch.no_grad()
def decide(
    logits: Tensor, logits_add: Tensor | None, size_px: tuple[int, int], tau: float,
) -> tuple[Tensor, Tensor]:
    """Label and reliability of a frame at ``size_px`` from its logits and the add-on's.

    Both are [1, C, h, w]; without ``logits_add``, a frame without predecessor, S_t decides alone.
    Returns the class of largest probability, [H, W] in ``labels.label_dtype``, and the
    reliability (Eq. 2) of the fused probabilities (Eq. 3), float32 [H, W] in 0..1.

    Two passes over the image, since Eq. 3 needs the largest entropies of the frame; a pixel's
    probabilities live as long as its band of rows.  In float32, under autocast too.
    """
    with torch.autocast(logits.device.type, enabled=False):
        return _decide(logits, logits_add, size_px, tau)


def _decide(
    logits: Tensor, logits_add: Tensor | None, size_px: tuple[int, int], tau: float,
) -> tuple[Tensor, Tensor]:
    if logits_add is None:
        label, uncertainty = _decide_alone(Upsampling((logits,), size_px))
        return label, relative_to_largest(uncertainty)
    maps = Upsampling((logits, logits_add), size_px)
    measures = [[_measure(scores, scores.amax(1)) for scores in band] for _, band in maps.bands()]
    weight, weight_add = (
        relative_to_largest(torch.cat([each.entropy for each in of_map]).view(size_px))
        for of_map in zip(*measures, strict=True))
    total = weight + weight_add
    fused = (weight < tau) & (total > 0)
    share_add = torch.where(fused, weight_add / total, 0.0)  # [H, W] of S_add in S
    label, uncertainty = _decide_fused(maps, measures, share_add)
    return label, relative_to_largest(uncertainty)


class _Measure(NamedTuple):
    """What is kept of a band of logits, [pixels] each."""

    entropy: Tensor  # in nats
    log_total: Tensor  # logarithm of the softmax's denominator


def _measure(scores: Tensor, largest: Tensor) -> _Measure:
    """Measure logits [pixels, C], whose ``largest`` are [pixels]; overwrites ``scores``.

    By hand, as E = log sum_c exp(l_c) - sum_c p_c l_c: torch's softmax is slow for a few classes.
    """
    scores.sub_(largest[:, None])
    part = scores.exp()
    total = part.sum(1)
    log_total = total.log()
    return _Measure(log_total - part.mul_(scores).sum(1) / total, largest + log_total)


def _decide_alone(maps: Upsampling) -> tuple[Tensor, Tensor]:
    """Label and entropy of the one map, [H, W] each."""
    labels, entropies = [], []
    for _, (scores,) in maps.bands():  # [pixels, C]
        largest, label = scores.max(1)
        labels.append(label.to(label_dtype(scores.shape[1])))
        entropies.append(_measure(scores, largest).entropy)
    return torch.cat(labels).view(maps.size_px), torch.cat(entropies).view(maps.size_px)


def _decide_fused(
    maps: Upsampling, measures: list[list[_Measure]], share_add: Tensor,
) -> tuple[Tensor, Tensor]:
    """Label and entropy, [H, W] each, where S_add has a share [H, W] in S."""
    labels, entropies = [], []
    for (rows, band), measured in zip(maps.bands(), measures, strict=True):
        prob, prob_add = (  # [pixels, C]
            scores.sub_(of_map.log_total[:, None]).exp_()
            for scores, of_map in zip(band, measured, strict=True))
        prob.lerp_(prob_add, share_add[rows].flatten()[:, None])
        labels.append(prob.max(1).indices.to(label_dtype(prob.shape[1])))
        information = prob.clamp_min(torch.finfo(prob.dtype).tiny).log_()  # not NaN where 0
        entropies.append(-information.mul_(prob).sum(1))
    return torch.cat(labels).view(maps.size_px), torch.cat(entropies).view(maps.size_px)


def _unseen(
    first: int, count: int, tiles: int, tile: int, radius: int, like: Tensor,
) -> Tensor:
    """Mask along one axis, to add to the scores: float32 [tiles, tile, window].

    The queries are ``tiles`` of ``tile`` positions from ``first``; keys are 0 ... ``count`` - 1.
    """
    query = first + torch.arange(tiles * tile, device=like.device).view(tiles, tile, 1)
    key = query[:, :1] - radius + torch.arange(tile + 2 * radius, device=like.device)
    seen = ((query - key).abs() <= radius) & (key >= 0) & (key < count)
    # Not -inf: a query beyond the border sees nothing, and its softmax would be NaN.
    return torch.where(seen, 0.0, FAR)


def _windows(maps: Tensor, left: int, tiles: int, halo: int) -> Tensor:
    """Cut the strip of [h, w, N] from column ``left`` into [tiles, positions, N], with halos.

    Beyond the grid there are zeros.  Only the strip is copied: the windows are views of it.
    """
    height, width = maps.shape[:2]
    begin, end = left - halo, left + TILE_COLUMNS + halo
    strip = F.pad(
        maps[:, max(begin, 0):end],
        (0, 0, max(-begin, 0), max(end - width, 0), halo, tiles * TILE_ROWS + halo - height))
    windows = strip.flatten(1).unfold(0, TILE_ROWS + 2 * halo, TILE_ROWS).mT
    return windows.unflatten(2, strip.shape[1:]).flatten(1, 2)
