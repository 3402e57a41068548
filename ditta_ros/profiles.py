"""Settings that belong together: the defaults are ours, and this is the paper's way."""

from __future__ import annotations

from typing import Any

# By dotted name; config/ditta_paper.yaml says the same to a node.
PAPER: dict[str, Any] = {
    'adaptation.learning_rate': 1e-3,
    'adaptation.distill_on': 'probabilities',
    'adaptation.batch_norm': 'train',
    'adaptation.anchor_weight': 0.0,
    'adaptation.learnt_share': 1.0,
    'adaptation.colours': 'keep',
    'adaptation.statistics': 'keep',
    'adaptation.add_on_start': 'drawn',
    'adaptation.held_out_percent': 0.0,
    'targets.protect_from': 1.0,
}
