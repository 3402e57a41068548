"""Variants by name, in sets: ``--set NAME`` runs one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.profiles import PAPER
from ditta_ros.settings import SettingError

DEFAULT_SET = 'profiles'
# Each variant differs from the defaults in its parameters.
SETS: dict[str, Mapping[str, Sequence[str]]] = {
    DEFAULT_SET: {
        'defaults': (),
        'paper': tuple(f'{name}={value}' for name, value in PAPER.items()),
    },
    # Learners of three kinds, the bold ones as the paper's, for a guard to tell harm from gain.
    'guard': {
        'defaults': (),
        'all that was learnt': ('adaptation.learnt_share=1',),
        'bold': (
            'adaptation.learnt_share=1', 'adaptation.learning_rate=1e-3',
            'adaptation.anchor_weight=0', 'adaptation.batch_norm=train',
            'targets.protect_from=1'),
    },
    # One lever taken from the defaults at a time; the last row has none of them.
    'levers': {
        'defaults': (),
        'own colours': ('adaptation.colours=keep',),
        'colours all the way': ('adaptation.colours_share=1',),
        'own statistics': ('adaptation.statistics=keep',),
        'drawn add-on': ('adaptation.add_on_start=drawn',),
        'nothing protected': ('targets.protect_from=1',),
        'no anchor': ('adaptation.anchor_weight=0',),
        'all that was learnt': ('adaptation.learnt_share=1',),
        'batch norm train': ('adaptation.batch_norm=train',),
        'no contrast': ('adaptation.contrast_weight=0',),
        'rate 1e-3': ('adaptation.learning_rate=1e-3',),
        'rate 5e-5': ('adaptation.learning_rate=5e-5',),
        '1 pass': ('adaptation.passes=1',),
        'no guard': ('adaptation.held_out_percent=0',),
        'nothing learnt': ('adaptation.learnt_share=0',),
        'none of them': (
            'adaptation.colours=keep', 'adaptation.statistics=keep',
            'adaptation.add_on_start=drawn', 'targets.protect_from=1',
            'adaptation.anchor_weight=0', 'adaptation.learnt_share=1',
            'adaptation.held_out_percent=0'),
    },
    # One lever that the defaults do not pull at a time, and some of them together.
    'more levers': {
        'defaults': (),
        'each region': ('targets.prompt_each=region',),
        'second choice': ('targets.second_choice=true',),
        'regions from 60 px': ('targets.min_region_px=60',),
        'regions, second choice, 60 px': (
            'targets.prompt_each=region', 'targets.second_choice=true',
            'targets.min_region_px=60'),
        'smallest on top': ('targets.on_top=smallest',),
        'others ignored': ('targets.unmasked=ignored',),
        'others by reliability': ('targets.unmasked=by_reliability',),
        'class balance 0.5': ('adaptation.class_balance=0.5',),
        'focal 2': ('adaptation.focal_gamma=2',),
        'last layers': ('adaptation.learns=last_layers',),
        'rank 4': ('adaptation.rank=4',),
        'early stop': ('adaptation.early_stop=true',),
        'classes given back': ('adaptation.class_guard=give_back',),
        'while warming up': ('adaptation.when=while_warming_up',),
        'on probabilities': ('adaptation.distill_on=probabilities',),
    },
}
# What the true labels are learnt with: the same whatever the variants are.
CEILING = ('adaptation.learning_rate=2e-4', 'adaptation.passes=5', 'adaptation.batch_norm=train',
           'adaptation.distill_on=logits', 'adaptation.when=after_warm_up',
           'adaptation.anchor_weight=0')


def chosen_variants(name: str, given: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return parameters by variant: the set ``name``, or ``given`` as ``'NAME: KEY=VALUE ...'``.

    Raises SettingError for a set or parameter that there is not, or a name given twice.
    """
    if not given:
        if name not in SETS:
            raise SettingError(f'--set must be one of {", ".join(SETS)}, got {name!r}')
        return {each: parse_overrides(items) for each, items in SETS[name].items()}
    chosen: dict[str, dict[str, Any]] = {}
    for text in given:
        each, _, items = text.partition(':')
        if each.strip() in chosen:
            raise SettingError(f'--variant {each.strip()!r} is given twice: name it otherwise')
        chosen[each.strip()] = parse_overrides(items.split())
    return chosen
