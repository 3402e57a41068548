"""The temporal add-on: attention to the previous frame (Eq. 1) and fusion with it (Eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ditta_ros.segmenter import Decoded, Head, entropy, relative_to_largest, reliability, upsample

WINDOW_RADIUS = 5  # a query sees (2 * 5 + 1)^2 keys of the previous frame
TILE_ROWS, TILE_COLUMNS = 8, 24  # queries of one tile; they share one window of keys
TILES_AT_ONCE = 32  # bounds the memory: 15 MB of scores, and as much of keys at D 192


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

    Exact: a tile of queries shares one window of keys, its own area and a halo of ``radius``,
    and a mask takes from it what a query does not see.
    """
    height, width = query.shape[-2:]
    rows, columns = -(-height // TILE_ROWS), -(-width // TILE_COLUMNS)  # of tiles
    below, right = rows * TILE_ROWS - height, columns * TILE_COLUMNS - width
    halo = (radius, radius + right, radius, radius + below)
    query = F.pad(query, (0, right, 0, below))
    key, value = F.pad(key, halo), F.pad(value, halo)
    inside = F.pad(torch.ones((1, 1, height, width), device=query.device), halo)
    near = _near(radius, query.device)  # [queries, keys]
    bands = []
    step = max(1, TILES_AT_ONCE // columns)
    for row in range(0, rows, step):
        count = min(step, rows - row)
        band = slice(row * TILE_ROWS, (row + count) * TILE_ROWS)
        window = slice(band.start, band.stop + 2 * radius)
        q = _tiles(query[:, :, band], 0)  # [B, tiles, queries, D]
        k = _tiles(key[:, :, window], radius)  # [B, tiles, keys, D]
        v = _tiles(value[:, :, window], radius)  # [B, tiles, keys, C]
        seen = near & _tiles(inside[:, :, window], radius).mT.bool()  # [1, tiles, queries, keys]
        score = (q @ k.mT).float()  # [B, tiles, queries, keys]
        # Not -inf: a query beyond the border may see nothing, and its softmax would be NaN.
        score.masked_fill_(~seen, torch.finfo(score.dtype).min)
        out = score.softmax(-1).to(v.dtype) @ v  # [B, tiles, queries, C]
        out = out.unflatten(1, (count, columns)).unflatten(3, (TILE_ROWS, TILE_COLUMNS))
        bands.append(out.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3))  # [B, C, h', w']
    return torch.cat(bands, 2)[..., :height, :width]


def fuse(prob: Tensor, prob_add: Tensor, tau: float) -> Tensor:
    """Fuse one frame's class probabilities S_t and S_add (Eq. 3), both [C, H, W].

    Where S_t is less reliable than ``tau``, the two are averaged by their reliabilities;
    elsewhere, and where both reliabilities are 0, S_t stays.  Returns probabilities [C, H, W].
    """
    weight, weight_add = relative_to_largest(entropy(prob)), relative_to_largest(entropy(prob_add))
    total = weight + weight_add
    fused = (weight * prob + weight_add * prob_add) / total  # NaN where total is 0
    return torch.where((weight < tau) & (total > 0), fused, prob)


def decide(
    logits: Tensor, logits_add: Tensor | None, size_px: tuple[int, int], tau: float,
) -> tuple[Tensor, Tensor]:
    """Label one frame of ``size_px`` (height, width) from the head's logits, both [1, C, h, w].

    ``logits_add`` is None for a frame without predecessor: S_t decides alone.
    Returns the label, uint8 [H, W], and its reliability (Eq. 2, of the fused probabilities),
    float32 [H, W] in 0..1.
    """
    large = upsample(logits, size_px)[0]  # [C, H, W]
    if logits_add is None:
        return reliability(large)
    prob_add = upsample(logits_add, size_px)[0].float().softmax(0)
    fused = fuse(large.float().softmax(0), prob_add, tau)
    return fused.argmax(0).to(torch.uint8), relative_to_largest(entropy(fused))


def _near(radius: int, device: torch.device) -> Tensor:
    """Which keys of a tile's window each query of the tile sees: bool [queries, keys]."""
    def far(queries: int) -> Tensor:
        offset = torch.arange(queries + 2 * radius, device=device) - radius
        return (offset - torch.arange(queries, device=device)[:, None]).abs() <= radius

    near = far(TILE_ROWS)[:, None, :, None] & far(TILE_COLUMNS)[None, :, None, :]
    return near.flatten(0, 1).flatten(1)


def _tiles(band: Tensor, radius: int) -> Tensor:
    """Cut [B, N, rows, columns] with a halo of ``radius`` into [B, tiles, positions, N]."""
    tiles = band.unfold(2, TILE_ROWS + 2 * radius, TILE_ROWS)
    tiles = tiles.unfold(3, TILE_COLUMNS + 2 * radius, TILE_COLUMNS)  # [B, N, tr, tc, rows, cols]
    return tiles.permute(0, 2, 3, 4, 5, 1).flatten(3, 4).flatten(1, 2)
