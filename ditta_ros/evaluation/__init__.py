"""Evaluation: any recording, every method, one report; ``ros2 run ditta_ros evaluate``.

==================  ===============================================================
frames
source.py           what a source of frames is
sources.py          any video, folder, bag or the demo world, by what the user typed
bags.py             rosbag2: MCAP files are written, every kind is read
bag_reader.py       the messages of a rosbag2, past damaged ones
folders.py          images with labels in folders
image_files.py      images and label images as arrays
datasets.py         VSPW and Cityscapes as they are unpacked
crops.py            a labelled still under a moving crop
topics.py           names and types of topics in bags
make_bag.py         ``ros2 run ditta_ros make_bag SOURCE OUT``

one evaluation
command.py          what the command line asks for
plan.py             the jobs: source x method x warm-up x seed x setting
engines.py          jobs on this machine's cores, or on a Ray cluster
run_job.py          one job, from its source to its outcome
driving.py          frames to a method, one after the other; ``live.py``: at a camera's rate
baselines/          the methods that are compared, one file each
metrics.py          mIoU, wIoU, mVC, flicker, reliability: pure numpy
scores.py           all of them for one method on one stream
outcome.py          what a job is and came to, as files
report/             the report of a run: HTML, JSON, Markdown, and a bag

settings against each other, on the demo world
streams.py          plain SegFormer against DiTTA over many seeds
variants.py         settings of DiTTA, on streams that are paired
bed/                fixed streams with bars: variants, targets, rare classes
==================  ===============================================================

Helpers: ``overrides`` (parameters from the command line), ``processes``, ``progress``,
``recording``, ``reference``, ``remembered``, ``warm_up_length``, ``json_values``, ``whole_file``
"""
