"""``make soak``: what must hold for hours, and whatever comes in.

=========================================  ======================
memory stays, frame by frame               ``streams``, ``slope``
inputs that nobody made by hand            ``fuzz``, ``hostile``
a process killed while it saves            ``kills``
faults over real DDS                       ``faults``
one table and one picture of it all        ``report``, ``plot``
=========================================  ======================

The tests run the same functions with fewer inputs, frames and kills.
"""
