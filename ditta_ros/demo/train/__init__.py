"""Trains the two embedded models on the procedural world: ``python -m ditta_ros.demo.train``.

pool -> segmenter -> reliability of the pool -> tracker -> measure -> cards
"""
