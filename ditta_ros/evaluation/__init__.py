"""Evaluation: sources of frames, bags, metrics.

=============  ====================================================================
source.py      what a source of frames is
sources.py     any video, folder, bag or the demo world as frames with stamps (and truth)
topics.py      names and types of topics in bags
bags.py        rosbag2: MCAP files are written, every kind is read
make_bag.py    ``ros2 run ditta_ros make_bag SOURCE OUT``
metrics.py     mIoU, wIoU, mVC, flicker: pure numpy
scores.py      all of them for one model on one stream
streams.py     plain SegFormer against DiTTA over many seeds of the demo world
overrides.py   parameters from the command line
=============  ====================================================================
"""
