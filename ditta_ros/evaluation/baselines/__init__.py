"""The methods that an evaluation compares: one file each, one interface (section 7).

===============  ==================================================================
method.py        what an evaluation asks of a method
walk.py          warm-up, learning, freezing: the way of every method but DiTTA
true_frame.py    a frame that brings its truth
network.py       a copy of a whole segmenter that may learn
iss.py           the plain segmenter
ditta.py         DiTTA: a ``session.Session``
zero_shot.py     SAM 2's masks with their voted classes over the plain labels
bn_only.py       batch norm statistics alone
tent.py          entropy minimisation of norm parameters
cotta.py         averaged teacher, augmentation-averaged labels, stochastic restore
auxadapt.py      a small auxiliary network corrects the main one
true_labels.py   an upper bound: DiTTA's learning from the warm-up's true labels
===============  ==================================================================

Every method labels from the first frame on, learns from the warm-up alone (``warm_up.*``), and
then freezes.  Equal settings and frames give equal labels, bit for bit on the CPU, as long as
``work`` is called until it has nothing to do after every frame.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ditta_ros.device import choose_device
from ditta_ros.evaluation.baselines.auxadapt import AuxAdapt
from ditta_ros.evaluation.baselines.bn_only import BnOnly
from ditta_ros.evaluation.baselines.cotta import Cotta
from ditta_ros.evaluation.baselines.ditta import open_ditta
from ditta_ros.evaluation.baselines.iss import open_iss
from ditta_ros.evaluation.baselines.method import Method
from ditta_ros.evaluation.baselines.tent import Tent
from ditta_ros.evaluation.baselines.true_frame import TrueFrame
from ditta_ros.evaluation.baselines.true_labels import TrueLabels
from ditta_ros.evaluation.baselines.walk import Learner, Walk
from ditta_ros.evaluation.baselines.zero_shot import ZeroShot
from ditta_ros.mapping import ClassMapping
from ditta_ros.segmenter import Segmenter
from ditta_ros.settings import SettingError, Settings
from ditta_ros.tracker import MaskTracker, Sam2Tracker

__all__ = ['METHODS', 'Method', 'MethodError', 'TrueFrame', 'open_method']

METHODS = {
    'iss': 'the plain SegFormer, frame by frame',
    'ditta': 'distillation from tracked masks with voted classes',
    'zero_shot': "SAM 2's masks with their voted classes painted over the plain labels",
    'bn_only': "the head's batch norm statistics move, nothing else",
    'tent': 'norm parameters learn to lower the entropy of the labels',
    'cotta': 'averaged teacher, augmentation-averaged labels, stochastic restore',
    'auxadapt': 'an auxiliary head corrects the frozen one and learns from the joint decision',
    'true_labels': "upper bound: DiTTA's head learns the warm-up's true labels",
}
"""Name and meaning of every method, in the order of reports."""

LEARNING: dict[str, Callable[[Settings, Segmenter, ClassMapping | None], Learner]] = {
    'bn_only': BnOnly, 'tent': Tent, 'cotta': Cotta, 'auxadapt': AuxAdapt,
    'true_labels': TrueLabels}


class MethodError(ValueError):
    """There is no such method, or not with these classes; the message says what there is."""


def open_method(
    name: str, settings: Settings, segmenter: Segmenter | None = None,
    tracker: MaskTracker | None = None, mapping: ClassMapping | None = None,
) -> Method:
    """Return the method ``name`` of METHODS for one stream.

    Without ``segmenter`` or ``tracker`` they are loaded as ``settings`` say; a tracker only where
    the method has use for it.  Methods may share a ``segmenter``, which is never changed; its
    add-on was drawn from the seed that it was loaded with.
    With a ``mapping`` labels and reliabilities are of its target classes; whatever is voted for
    and learnt stays in the segmenter's own.
    With ``warm_up.amount`` 0 nothing is learnt, so every method is the plain segmenter.
    Raises MethodError, ModelError, SettingError.
    """
    if name not in METHODS:
        raise MethodError(f'a method is one of {", ".join(METHODS)}, got {name!r}')
    if settings.checkpoint.load_at_start:
        raise SettingError(
            'checkpoint.load_at_start must be False where methods are compared, got True: each '
            'learns from the stream alone')
    if name == 'true_labels' and mapping is not None:
        raise MethodError(
            "true_labels learns truth of the segmenter's own classes, got a mapping to others: "
            'leave one of them away')
    if segmenter is None:
        device = choose_device(settings.segmenter.device)
        segmenter = Segmenter.load(settings.segmenter.model, device, settings.adaptation.seed)
    if name == 'iss' or settings.warm_up.amount == 0:
        return open_iss(settings, segmenter, mapping)
    if name in LEARNING:
        return Walk(
            settings, segmenter, partial(LEARNING[name], settings, segmenter, mapping), mapping)
    if tracker is None:
        tracker = Sam2Tracker.load(settings.tracker, segmenter.device)
    if name == 'ditta':
        return open_ditta(settings, segmenter, tracker, mapping)
    return Walk(
        settings, segmenter, partial(ZeroShot, settings, segmenter, tracker, mapping), mapping)
