"""The ROS 2 shell around the engine: everything that imports rclpy or messages lives here.

- ``node``             the program ditta_node: starts, spins, ends cleanly
- ``ditta_node``       the lifecycle node: parameters in, one subscription, one worker
- ``node_parameters``  the node's own parameters, beside those of ``ditta_ros.settings``
- ``parameters``       settings tree <-> ROS parameters
- ``lifecycle``        transitions whose failures are told
- ``services``         warm_up, freeze, reset, save, load

from message to message:

- ``qos``              profiles, and publishers that cannot be received
- ``messages``         image message <-> array; ``coded_images`` reads the size of a jpeg or png
- ``reader``           messages of one camera -> frames
- ``worker``           newest-wins slot and the one thread that uses the session
- ``pacing``           when a unit of adaptation may run, so that labels keep flowing
- ``calls``            what waits for the worker's thread
- ``outputs``          what the node publishes: images, and through
- ``label_info``       the names of the labels
- ``points``           labelled points, with ``depth``, the depth images that wait for them

what the node says of itself:

- ``timings``          how long the last frames took
- ``diagnostics``      the node's health
- ``complaints``       the same complaint once in a while
- ``logs``             Python's log records to the ROS log

around the node:

- ``interrupts``       SIGINT and SIGTERM as one KeyboardInterrupt
- ``dds``              environment of processes that exchange camera images over Fast DDS
- ``player``           plays frames to the node and awaits its answers, for demo and evaluation
- ``survey``           looks at the image topics of the network, for the doctor
- ``copies``           how often an image is copied on its way, for the bench
- ``cameras``          names and topics of the cameras that a launch file is given
- ``launch_parts``     what the launch files share (imports launch)
- ``replay``           what replay.launch.py knows of a bag, and its commands
- ``replay_cues``      when a replay may begin, and when the last mask has come
"""
