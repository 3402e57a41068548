"""Changes of low rank, against the singular value decomposition."""

from __future__ import annotations

import copy

import pytest
import torch

from ditta_ros.adaptation import Adapter
from ditta_ros.low_rank import hold_to_rank, of_rank
from ditta_ros.settings import AdaptationSettings
from small_samples import small_head, small_sample


def test_the_nearest_matrix_by_hand() -> None:
    """diag(3, 2, 1) keeps its two largest."""
    assert torch.allclose(
        of_rank(torch.diag(torch.tensor([3.0, 2.0, 1e-4])), 2),
        torch.diag(torch.tensor([3.0, 2.0, 0.0])), atol=1e-5)


@pytest.mark.parametrize('shape', [(12, 40), (40, 12)])
def test_as_near_as_the_decomposition_has_it(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(3)
    left, right = (torch.randn((size, 6), generator=generator) for size in shape)
    change = (left * 4.0 ** -torch.arange(6)) @ right.T
    u, values, v = torch.linalg.svd(change, full_matrices=False)
    best = (u[:, :2] * values[:2]) @ v[:2]
    found = of_rank(change, 2)
    assert torch.linalg.matrix_rank(found, rtol=1e-5) == 2
    assert (found - change).norm() < 1.01 * (best - change).norm()
    assert torch.equal(found, of_rank(change, 2))


def test_no_change_stays_none_and_a_higher_rank_changes_nothing() -> None:
    assert torch.equal(of_rank(torch.zeros(4, 5), 2), torch.zeros(4, 5))
    change = torch.rand(4, 5)
    assert of_rank(change, 4) is change


def test_vectors_and_what_does_not_learn_are_left_alone() -> None:
    before, head = small_head(), small_head()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(torch.rand_like(parameter))
    head.fuse.requires_grad_(False)
    moved = copy.deepcopy(head)
    hold_to_rank(head, before, 1)
    for unchanged in ('fuse.weight', 'classifier.bias', 'batch_norm.weight'):
        assert torch.equal(head.state_dict()[unchanged], moved.state_dict()[unchanged])
    assert not torch.equal(head.classifier.weight, moved.classifier.weight)


@pytest.mark.parametrize('rank', [1, 2])
def test_what_is_learnt_has_the_rank_that_is_wanted(rank: int) -> None:
    def rank_learnt(settings: AdaptationSettings) -> int:
        head = small_head()
        adapter = Adapter(head, settings)
        for _ in range(3):
            adapter.step(small_sample())
        change = (head.fuse.weight - adapter.before.fuse.weight).flatten(1)
        return int(torch.linalg.matrix_rank(change.double(), rtol=1e-3))

    assert rank_learnt(AdaptationSettings()) > 2
    assert rank_learnt(AdaptationSettings(rank=rank)) == rank
