"""The parameters of the targets and of learning; :mod:`~ditta_ros.settings` has them all."""

from __future__ import annotations

from dataclasses import dataclass

from ditta_ros.rules import Checked, SettingError, setting


@dataclass(frozen=True)
class TargetSettings(Checked):
    """The vote for the class of an object (section 5)."""

    GROUP = 'targets'
    lambda_area: float = setting(
        0.3, "exponent of a class's share of the mask in the vote (Eq. 4)", low=0.0, high=10.0)
    lambda_freq: float = setting(
        0.8, "exponent of a class's rarity in the vote (Eq. 4)", low=0.0, high=10.0)
    covered_margin_px: int = setting(
        5, 'a peak this near to a tracked mask (L1) is not prompted', 'px', low=0, high=100)
    prompt_each: str = setting(
        'class', 'what has a peak to prompt: a class, or every connected region of it',
        choices=('class', 'region'))
    second_choice: bool = setting(
        False, 'where the peak is covered, the next best pixel that is not is prompted')
    min_region_px: int = setting(
        0, 'smaller connected regions of a class are not prompted', 'px', low=0, high=1000000)
    on_top: str = setting(
        'best_voted', 'which object has the pixels that several claim',
        choices=('best_voted', 'smallest'))
    unmasked: str = setting(
        'as_labelled', "how much the segmenter's own label counts where there is no object: as "
        'much as an object (the paper), nothing, or as much as it is reliable',
        choices=('as_labelled', 'ignored', 'by_reliability'))
    protect_from: float = setting(
        0.8, "reliability above which a pixel keeps the segmenter's own label where the vote of "
        "its mask says another; the paper: 1, none does", low=0.0, high=1.0)


@dataclass(frozen=True)
class AdaptationSettings(Checked):
    """How the decode head learns (section 6)."""

    GROUP = 'adaptation'
    learning_rate: float = setting(
        2e-4, 'step size of AdamW; the paper: 1e-3', low=0.0, high=1.0)
    passes: int = setting(5, 'times over the warm-up frames', 'passes', low=0, high=1000)
    when: str = setting(
        'after_warm_up', 'learn once the warm-up has been seen, or from the last '
        'adaptation.passes frames after each of its frames',
        choices=('after_warm_up', 'while_warming_up'))
    distill_on: str = setting(
        'logits', 'cross entropy of the logits, or of the probabilities as the reference does',
        choices=('logits', 'probabilities'))
    class_balance: float = setting(
        0.0, 'rare classes weigh more in the distillation: by the share of the pixels that a '
        'class has to the power of minus this; 0: all pixels weigh the same', low=0.0, high=1.0)
    focal_gamma: float = setting(
        0.0, 'exponent of the focal loss: what is right already weighs less; 0: off', low=0.0,
        high=5.0)
    learns: str = setting(
        'decoder', 'the whole decode head, or what follows its fused feature (classifier, add-on '
        'and projection)', choices=('decoder', 'last_layers'))
    rank: int = setting(
        0, 'what is learnt changes every layer by a matrix of this rank at most; 0: of any',
        low=0, high=1000)
    early_stop: bool = setting(
        False, 'learning ends with the pass after which the loss on held-out frames has risen, '
        'and what the pass before it left is used')
    contrast_weight: float = setting(
        1.0, 'weight of the contrastive loss (Eq. 7); 0: off', low=0.0, high=100.0)
    anchor_weight: float = setting(
        1.0, "weight of the divergence from the frozen segmenter's probabilities, which keeps "
        'what the targets do not speak of; the paper: 0', low=0.0, high=100.0)
    learnt_share: float = setting(
        0.5, 'the weights in force lie between those before and after learning, so far on the '
        'way; the paper: 1', low=0.0, high=1.0)
    colours: str = setting(
        'align', "take the stream's colours to those of the segmenter's training, where its "
        'config.json tells them and it is surer then (align); the paper: keep',
        choices=('align', 'keep'))
    colours_share: float = setting(
        0.75, "how far of the way the stream's colours are taken to those of the training: all of "
        'it costs poles and persons in fog', low=0.0, high=1.0)
    statistics: str = setting(
        'align', "take the head's batch norm half the way to the stream's own statistics before "
        'anything is taught, where the segmenter is surer then (align); the paper: keep',
        choices=('align', 'keep'))
    add_on_start: str = setting(
        'matching', 'layers of the add-on that no training has made: such that positions attend '
        'to their like (matching), or drawn from adaptation.seed as in the paper',
        choices=('matching', 'drawn'))
    held_out_percent: float = setting(
        20.0, 'the end of the warm-up is not learnt from: on it the guard judges what has learnt, '
        'which labels only where it agrees as well with the targets as the plain model, flickers '
        "no more, has lost no class, and the plain model with the warm-up's batch norm "
        'statistics is not against it; where a class has lost some, or that is, a half or a '
        'quarter of learnt_share is taken, half where agreement shows no use, and none where that '
        'model labels as the plain one does and agreement falls (while_warming_up learns from '
        'that end, too); 0: no guard',
        '%', low=0.0, high=90.0)
    class_guard: str = setting(
        'none', 'what learning took from a class that the plain model and that with the '
        "warm-up's batch norm statistics see on the held-out frames is given back to it, by a "
        'larger bias of its logit (give_back)', choices=('none', 'give_back'))
    batch_norm: str = setting(
        'eval', "the head's batch norm while it learns: by each step's own frames, moving the "
        'running statistics (train), or by the statistics that it came with (eval)',
        choices=('train', 'eval'))
    ema_decay: float = setting(
        0.99, 'decay of the momentum head that makes the prototypes', low=0.0, high=1.0)
    features_device: str = setting(
        'network', "where the warm-up's backbone features wait: with the network, or in CPU "
        'memory',
        choices=('network', 'cpu'))
    features_dtype: str = setting(
        'float32', "how the warm-up's backbone features are kept",
        choices=('float32', 'float16', 'bfloat16'))
    max_added_latency_ms: float = setting(
        100.0, 'a unit of adaptation is put off rather than let a frame wait longer than this '
        'for its label', 'ms', low=0.0, high=1e6, live=True)
    seed: int = setting(0, 'seed of the add-on and projection layers', low=0)
    max_bad_steps: int = setting(
        5, 'units of adaptation that may fail in a row, with a loss that is not finite or any '
        'other fault; then it is abandoned and the model in force goes on', low=1, high=1000)
    on_drift: str = setting(
        'warn', 'what follows where labels stay less reliable, or flicker more, than at first: '
        'a warning, or also a new warm-up (readapt)', choices=('off', 'warn', 'readapt'),
        live=True)
    drift_window_frames: int = setting(
        100, 'frames whose mean is compared with the mean of as many at first; it must be worse '
        'for as many frames in a row', 'frames', low=10, high=100000)
    readapt_min_interval_s: float = setting(
        600.0, 'time from when a model came in force to a new warm-up because of drift, at least; '
        "by the images' stamps", 's', low=0.0, high=1e6, live=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.early_stop and (self.held_out_percent == 0 or self.when != 'after_warm_up'):
            raise SettingError(
                'adaptation.early_stop needs frames that are not learnt from, got '
                f'adaptation.held_out_percent {self.held_out_percent:g} and adaptation.when '
                f'{self.when}: set them above 0 and to after_warm_up')
        if self.class_guard != 'none' and self.held_out_percent == 0:
            raise SettingError(
                f'adaptation.class_guard {self.class_guard} needs frames held out, got '
                'adaptation.held_out_percent 0: set it above 0, or class_guard to none')
