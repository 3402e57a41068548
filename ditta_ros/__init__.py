"""ditta_ros: semantic segmentation of a camera stream that teaches itself the scene it is in.

The way of a frame, in order: stage -> module -> section or equation of the method (DiTTA,
CVPR 2026).

====================================  ==================================  ==============
a camera message becomes a frame      ``ros.messages``, ``frame``
  and goes to the GPU                 ``transfer``
the backbone encodes it, once         ``segmenter.Segmenter.encode``
a label and its reliability           ``labeller``, ``segmenter``         Eq. 2
  with the decode head folded,
  on the image grid in bands          ``folded``, ``upsampled``
  in less precision, compiled         ``acceleration``
the label is published, by groups     ``groups``, ``ros.maps``,
                                      ``ros.outputs``
  and on the depth image's points     ``cloud``, ``ros.points``

while warming up (``warm_up``):
in which colours to teach             ``calibration``, ``colours``
the surest pixels become prompts      ``prompts``, ``regions``            A2.1
objects are tracked, on and back      ``tracker``, ``cohort``             A2.2
  and their masks kept small          ``packed_mask``
their classes are voted for           ``targets``                         Eq. 4, A1-A4

after the warm-up:
the add-on is matched to the frames   ``matching``                        Eq. 1
the decode head learns the targets    ``lessons``, ``adaptation``         Eq. 8
  by its losses                       ``losses``                          Eq. 5-7
and is tried on frames held out       ``trial``, ``guard``, ``given_back``
the frozen, adapted head labels,
fused with the frame before           ``labeller``, ``temporal``          Eq. 1, 3
====================================  ==================================  ==============

``session`` walks this way for one stream: ``Session.feed`` labels a frame, ``Session.work`` does a
unit of adaptation; a ``course`` is one warm-up with what is learnt from it, ``model_in_force``
labels.  ``checkpoint`` keeps an adapted head in a file, with its ``provenance``; ``drift`` watches
the labels that it gives, ``faults`` are borne.  The node (``ros``), the replay of recordings
(``evaluation``) and the demo (``demo``) are three drivers of the same ``Session``.

``settings`` holds every parameter once, those of learning in ``learning_settings``, ``profiles``
the paper's values; ``opening`` goes from settings to a session. Models are found by
``segmenter_files`` and ``sam2_files``, on the hub by ``hub``; ``fetch_models`` fetches them,
``convert`` makes them from other projects' files, and ``export`` writes the frozen network as
ONNX. SAM 2 is read by ``sam2_config`` and made cheaper, with equal masks, by ``sam2_shortcuts``
(``sam2_memory_attention``, ``sam2_mask_decoder``, ``pointwise``).  ``mapping`` gives labels in
another data set's classes (``class_files``).
``memory`` says beforehand what a warm-up will take, ``memory_budget`` makes
it fit; ``bench`` measures what the parts cost, ``soak`` what they bear, and ``doctor`` says what
a machine lacks.
"""
