"""SegFormers in the layouts of other projects, made directories that ``segmenter.model`` takes.

``source`` reads the file, ``layouts`` renames what is in it, ``shapes`` finds out which network
the weights belong to, ``names`` has the class lists of the usual data sets, ``directory`` writes.
"""
