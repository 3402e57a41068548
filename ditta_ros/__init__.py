"""ditta_ros: semantic segmentation of a camera stream that teaches itself the scene it is in.

The way of a frame, in order: stage -> module -> section or equation of the method (DiTTA,
CVPR 2026).

====================================  ==================================  ==============
a camera message becomes a frame      ``ros.messages``, ``frame``
the backbone encodes it, once         ``segmenter.Segmenter.encode``
a label and its reliability           ``labeller``, ``segmenter``         Eq. 2
the label is published                ``ros.outputs``

while warming up (``warm_up``):
the surest pixels become prompts      ``prompts``                         A2.1
objects are tracked, on and back      ``tracker``, ``cohort``             A2.2
their classes are voted for           ``targets``                         Eq. 4, A1-A4

after the warm-up:
the decode head learns the targets    ``adaptation``                      Eq. 5-8
the frozen, adapted head labels,
fused with the frame before           ``labeller``, ``temporal``          Eq. 1, 3
====================================  ==================================  ==============

``session`` walks this way for one stream: ``Session.feed`` labels a frame, ``Session.work`` does a
unit of adaptation.  The node (``ros``), the replay of recordings (``evaluation``) and the demo
(``demo``) are three drivers of the same ``Session``.  ``settings`` holds every parameter once.
"""
