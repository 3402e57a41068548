"""SegFormers in the layouts of other projects, made directories that ``segmenter.model`` takes.

``source`` reads the file, ``layouts`` renames what is in it, ``shapes`` finds out which network
the weights belong to, ``names`` reads the classes of a data set or file, ``directory`` writes.
"""
