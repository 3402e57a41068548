"""Parameters: names and values of any kind."""

from __future__ import annotations

from pathlib import Path
from random import Random

from ditta_ros.evaluation.overrides import parse_overrides
from ditta_ros.settings import SettingError, Settings, from_flat, parameters, to_flat
from ditta_ros.soak.hostile.damage import TEXTS, plain_tree, scalar
from ditta_ros.soak.hostile.refusal import Feed, WrongAnswerError, refused


def open_feed(folder: Path) -> Feed:
    """Open a feed of parameters, as values and as ``--set``; see the package.

    ``folder`` is not used.
    """
    del folder
    known = list(parameters())

    def feed(random: Random) -> bool:
        chosen = random.sample(known, random.randint(1, 4))
        values = {each.name: _value(random, each.default) for each in chosen}
        if random.random() < 0.1:
            values[random.choice(TEXTS)] = plain_tree(random)
        try:
            settings = from_flat(
                values if random.random() < 0.7
                else parse_overrides(f'{name}={value}' for name, value in values.items()))
        except SettingError as error:
            return refused(error)
        if from_flat(to_flat(settings)) != settings or not isinstance(settings, Settings):
            raise WrongAnswerError(f'{settings} is not what its own values make')
        return True

    return feed


def _value(random: Random, default: object) -> object:
    """Return the default, another value of its type, or anything."""
    other = scalar(random)
    return random.choice((
        default, other if type(other) is type(default) else default, plain_tree(random)))
