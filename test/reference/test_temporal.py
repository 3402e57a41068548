"""Decode head, add-on and fusion against the reference's."""

from __future__ import annotations

import numpy as np
import torch

from ditta_ros.segmenter import Decoded, Head, entropy, relative_to_largest
from ditta_ros.temporal import attend, decide, fuse

LAYERS = {  # the reference's name -> ours
    'linear_c1.proj': 'scales.0', 'linear_c2.proj': 'scales.1', 'linear_c3.proj': 'scales.2',
    'linear_c4.proj': 'scales.3', 'linear_fuse.conv': 'fuse', 'linear_fuse.bn': 'batch_norm',
    'linear_pred': 'classifier', 'query_layer': 'query_mlp', 'key_layer': 'key_mlp',
    'proj_feat': 'projection',
}


def head_of(golden: dict[str, np.ndarray]) -> Head:
    state = {}
    for key, array in golden.items():
        if key.startswith('w.'):
            theirs = next(name for name in LAYERS if key.startswith(f'w.{name}.'))
            ours = LAYERS[theirs] + key.removeprefix(f'w.{theirs}')
            state[ours] = torch.from_numpy(array)
    widths = tuple(golden[f'in{stage}'].shape[1] for stage in range(4))
    classes, dim = golden['w.linear_pred.weight'].shape[:2]
    head = Head(widths, dim, classes)
    head.load_state_dict(state)  # strict: every layer of theirs has one of ours
    return head.eval()


@torch.no_grad()
def test_head_and_add_on(addon_golden: dict[str, np.ndarray]) -> None:
    head = head_of(addon_golden)
    in0, in1, in2, in3 = (torch.from_numpy(addon_golden[f'in{stage}']) for stage in range(4))
    feature, logits = head((in0, in1, in2, in3))  # of frames t-1 and t
    previous = Decoded(feature[:1], logits[:1])
    carried = attend(
        head.query(feature[1:]), head.key(previous.feature), previous.logits,
        int(addon_golden['window']))

    expected = addon_golden['logits']
    np.testing.assert_allclose(logits[1].numpy(), expected[0], atol=1e-4)
    np.testing.assert_allclose(carried[0].numpy(), expected[1], atol=1e-4)
    np.testing.assert_allclose(head.project(feature).numpy(), addon_golden['feat'], atol=1e-4)


def test_fusion(fuse_golden: dict[str, np.ndarray]) -> None:
    prob, prob_add = torch.from_numpy(fuse_golden['prob'])
    reliability = torch.stack([relative_to_largest(entropy(p)) for p in (prob, prob_add)])
    np.testing.assert_allclose(reliability.numpy(), fuse_golden['reliability'], atol=1e-5)
    label = fuse(prob, prob_add, float(fuse_golden['tau'])).argmax(0)
    np.testing.assert_array_equal(label.numpy(), fuse_golden['label'])


def test_fusion_in_bands(fuse_golden: dict[str, np.ndarray]) -> None:
    """The labeller's way from logits: a probability's logarithm is one of its logits."""
    prob, prob_add = torch.from_numpy(fuse_golden['prob'])
    logits, logits_add = (p.double().log().float()[None] for p in (prob, prob_add))
    size_px = (prob.shape[1], prob.shape[2])
    label, _ = decide(logits, logits_add, size_px, float(fuse_golden['tau']))
    np.testing.assert_array_equal(label.numpy(), fuse_golden['label'])
    for maps, expected in zip((logits, logits_add), fuse_golden['reliability'], strict=True):
        certainty = decide(maps, None, size_px, 0.0)[1]
        np.testing.assert_allclose(certainty.numpy(), expected, atol=1e-5)
