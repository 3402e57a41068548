"""The ROS 2 shell around the engine: everything that imports rclpy or messages lives here.

- ``node``             the program ditta_node: starts, spins, ends cleanly
- ``ditta_node``       the lifecycle node: parameters in, one subscription, one worker
- ``node_parameters``  the node's own parameters, beside those of ``ditta_ros.settings``
- ``parameters``       settings tree <-> ROS parameters
- ``messages``         image message <-> array
- ``worker``           newest-wins slot and the one thread that uses the session
- ``outputs``          what the node publishes
- ``qos``              profiles, and publishers that cannot be received
- ``interrupts``       SIGINT and SIGTERM as one KeyboardInterrupt
- ``lifecycle``        transitions whose failures are told
- ``logs``             Python's log records to the ROS log
- ``player``           plays frames to the node and awaits its answers, for demo and evaluation
- ``dds``              environment of processes that exchange camera images over Fast DDS
"""
