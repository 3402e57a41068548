"""The three losses and the memory bank over three steps against the reference's."""

from __future__ import annotations

import numpy as np
import torch

from ditta_ros.losses import MemoryBank, contrast_loss, distill_label, distill_loss
from ditta_ros.targets import object_label


def test_losses_and_prototypes(loss_golden: dict[str, np.ndarray]) -> None:
    bank = MemoryBank()
    steps = sorted({int(key.split('.')[0]) for key in loss_golden if '.' in key})
    for step in steps:
        names = ('object_id', 'class_score', 'iss_label', 'prob', 'prob_momentum', 'feat',
                 'feat_momentum')
        object_id, scores, iss_label, prob, prob_momentum, feature, momentum_feature = (
            torch.from_numpy(loss_golden[f'{step}.{name}']) for name in names)

        label = distill_label(object_label(object_id, scores), iss_label)
        np.testing.assert_array_equal(label.numpy(), loss_golden[f'{step}.distill_label'])
        # prob holds S_t and S_add of this frame, feat the frames t-1 and t.
        got = torch.stack([
            distill_loss(prob[0], label), distill_loss(prob[1], label),
            contrast_loss(
                feature[1], momentum_feature[1], prob_momentum[0], object_id, bank)])
        expected = [loss_golden[f'{step}.{name}'] for name in (
            'loss_distill', 'loss_distill_addon', 'loss_contrastive')]
        np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-5)

    ids = loss_golden['prototype_ids'].tolist()
    assert sorted(bank.prototypes) == sorted(ids)
    prototypes = torch.stack([bank.prototypes[object_id] for object_id in ids])
    np.testing.assert_allclose(
        prototypes.numpy(), loss_golden['prototypes'], rtol=0, atol=1e-5)
