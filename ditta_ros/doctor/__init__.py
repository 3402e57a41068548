"""The doctor: what this machine and its ROS lack, on one screen, with the command that mends it.

``ros2 run ditta_ros doctor`` or ``python -m ditta_ros.doctor`` (``--help`` lists the options).
Every check is a function that returns a :class:`~ditta_ros.doctor.finding.Finding`, or several:

================  ====================================================================
``environment``   Python, the sourced distribution, DDS domain and discovery range
``libraries``     the Python libraries, NumPy against cv_bridge, optional ROS packages
``middleware``    rclpy, RMW implementation, the Fast DDS profile in force
``machine``       processor, memory, /dev/shm, the kernel's UDP buffers
``gpu``           the GPU, and the build of torch against its driver
``params_file``   names of parameters that the node does not know
``models``        the models that a parameter file names, or the embedded ones, with hashes
``network``       cameras and readers of the mask, by ``ros.survey``
================  ====================================================================

It runs where ROS is missing or broken, to say so: whatever might end a process is tried in a
process of its own (``children``), and rclpy is never imported here.
"""
