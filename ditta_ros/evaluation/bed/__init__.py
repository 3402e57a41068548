"""The test bed of the adaptation: fixed streams, variants of DiTTA, bars to clear.

``python -m ditta_ros.evaluation.bed --half choose --out bed_out``

==============  ====================================================================
streams.py      which streams: a half to choose on and a half to report on
cells.py        one stream, every variant on it after every warm-up
encoding.py     backbone features, once for each picture
branching.py    a tracker that computes what variants ask alike once
reached.py      what one model reached on a stream
targets.py      how right the labels are that a warm-up teaches
candidates.py   what has learnt, before any guard
signals.py      what may tell its harm without the truth
roc.py          which of that does, from a run with ``--signals``
named.py        variants by name
known.py        ceilings that an earlier run has measured
summary.py      means over cells, and the bars beside them
tables.py       the same for the terminal
plots.py        gain by shift, gain by the targets' gain
==============  ====================================================================
"""
