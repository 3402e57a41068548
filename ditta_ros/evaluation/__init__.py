"""Evaluation: sources of frames, bags, metrics.

=============  ====================================================================
sources.py     any video, folder, bag or the demo world as frames with stamps (and truth)
bags.py        MCAP rosbag2 files, written without a ROS installation
metrics.py     mIoU, wIoU, mVC, flicker: pure numpy
streams.py     plain SegFormer against DiTTA over many seeds of the demo world
make_bag.py    ``ros2 run ditta_ros make_bag SOURCE OUT``
=============  ====================================================================
"""
