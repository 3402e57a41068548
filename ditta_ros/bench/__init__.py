"""The bench: what the engine costs on this machine, beside the plain ways of doing the same.

``ros2 run ditta_ros bench`` or ``python -m ditta_ros.bench`` (``--help`` lists the options).  Each
family of rows is one module with a function ``cases(options)``:

=============  ===================================================================
``attention``  the add-on's window attention against the dense form
``frozen``     labelling a frame against plain SegFormer
``warm_up``    a step of the adaptation, the contrastive loss and the votes
``tracker``    16 objects against one, and against sam2's own video predictor
``node``       the node around the engine: overhead, label rate, copies
``soak``       the tracker's memory over a long stream (only when asked for)
=============  ===================================================================

Both sides of a ratio are measured in one run, in turns (``timing``) or each in a process of its
own (``apart``), so that what else the machine does falls on both.
"""
