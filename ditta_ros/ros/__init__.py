"""The ROS 2 shell around the engine: everything that imports rclpy or messages lives here.

- ``node``             lifecycle node: parameters in, one subscription, one worker
- ``node_parameters``  the node's own parameters, beside those of ``ditta_ros.settings``
- ``parameters``       settings tree <-> ROS parameters
- ``messages``         image message <-> array
- ``worker``           newest-wins slot and the one thread that uses the session
- ``outputs``          what the node publishes
- ``qos``              profiles, and publishers that cannot be received
- ``lifecycle``        transitions whose failures are told
- ``logs``             Python's log records to the ROS log
- ``dds``              environment of processes that exchange camera images over Fast DDS
"""
