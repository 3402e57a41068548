"""The node: camera images in, labelled images out, adapting on the way.

| direction | name | type |
|---|---|---|
| in | ``image``, or ``image/compressed`` | sensor_msgs/Image, CompressedImage |
| in | ``depth``, ``camera_info`` | Image 16UC1 or 32FC1, CameraInfo: for the points alone |
| out | ``segmentation/mask`` | Image mono8: class, 255 unlabelled; mono16 above 255 classes |
| out | ``segmentation/confidence`` | Image mono8: reliability (Eq. 2), 0..255 |
| out | ``segmentation/label_info`` | vision_msgs/LabelInfo, latched |
| out | ``segmentation/color``, ``segmentation/overlay`` | Image rgb8, while somebody listens |
| out | ``segmentation/points`` | PointCloud2, while somebody listens and depth comes |
| out | ``segmentation/status`` | std_msgs/String, JSON, latched |
| out | ``/diagnostics`` | DiagnosticArray, once a second |
| services | ``~/warm_up``, ``~/freeze``, ``~/reset``, ``~/save``, ``~/load`` | std_srvs/Trigger |

A lifecycle node that configures and activates itself (parameter ``autostart``): configure loads
the models, activate subscribes, deactivate unsubscribes and keeps what was learnt, cleanup
frees the memory.
"""

from __future__ import annotations

from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from ditta_ros.device import release_unused
from ditta_ros.frame import Frame
from ditta_ros.groups import Groups
from ditta_ros.opening import open_session
from ditta_ros.ros import parameters, qos, services
from ditta_ros.ros.diagnostics import Diagnostics
from ditta_ros.ros.lifecycle import transition
from ditta_ros.ros.messages import CameraImage, check
from ditta_ros.ros.outputs import Outputs
from ditta_ros.ros.reader import Reader
from ditta_ros.ros.worker import Worker
from ditta_ros.session import Segmentation, Session
from ditta_ros.settings import Settings

WATCH_S = 1.0
UNCONFIGURED = {'phase': 'unconfigured', 'why': 'no models are loaded'}


class DittaNode(LifecycleNode):
    """Labels the images of one camera.  Raises SettingError where a parameter breaks its rule."""

    def __init__(self) -> None:
        super().__init__('ditta', automatically_declare_parameters_from_overrides=True)
        self._session: Session | None = None
        self._worker: Worker[CameraImage] | None = None
        self._subscription: Subscription[Any] | None = None
        parameters.declare(self)
        self._settings = parameters.read(self)
        self.add_on_set_parameters_callback(parameters.judge(self, self._apply))
        self._outputs = Outputs(self)
        self._diagnostics = Diagnostics(self, self._active_status, self._incompatible)
        services.offer(self, lambda: self._worker, lambda: self._settings)
        # Steady: it must tick while simulated time stands still.
        self.create_timer(WATCH_S, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def autostart(self) -> bool:
        """Configure and activate where the parameter says so; return whether that went well."""
        if not self.get_parameter('autostart').value:
            return True
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    @transition
    def on_configure(self, state: LifecycleState) -> None:
        """Load the models."""
        super().on_configure(state)
        session = open_session(self._settings)
        # Before the session is kept: a file that is refused leaves nothing half configured.
        groups = Groups.read(
            self.get_parameter('groups').value, session.label_set, session.device)
        self._session = session
        self._outputs.publish_label_info(groups.label_set)

        def publish(message: CameraImage, frame: Frame, segmentation: Segmentation) -> None:
            self._outputs.publish(
                message.header, frame, segmentation, groups, self._settings.overlay_alpha)

        self._worker = Worker(
            session, check, Reader(session.device, session.restart), publish,
            self._outputs.publish_status,
            lambda: self._settings.adaptation.max_added_latency_ms,
            lambda: self.get_parameter('status_rate_hz').value)

    @transition
    def on_activate(self, state: LifecycleState) -> None:
        """Subscribe to the camera and start labelling."""
        assert self._worker is not None
        self._subscribe(self._worker)
        super().on_activate(state)
        self._worker.start()

    @transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Unsubscribe and stop labelling; the adapted model stays."""
        self._halt()
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Free the models' memory."""
        self._release()
        self._outputs.publish_status(UNCONFIGURED)
        super().on_cleanup(state)

    @transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """Stop whatever runs and free the models' memory."""
        self._release()
        super().on_deactivate(state)  # rclpy leaves that out: an active node's publishers
        super().on_shutdown(state)

    @transition
    def on_error(self, state: LifecycleState) -> None:
        """After a fault in a transition: back to unconfigured, with nothing held."""
        self._release()
        super().on_deactivate(state)
        super().on_error(state)

    def destroy_node(self) -> None:
        """Stop labelling, free the models, and leave the graph."""
        self._release()
        super().destroy_node()

    def _subscribe(self, worker: Worker[CameraImage]) -> None:
        kind, topic = self._input()
        profile = qos.copy(qos.IMAGE_IN)
        self._subscription = self.create_subscription(
            kind, topic, worker.offer, profile,
            event_callbacks=qos.naming_incompatible(self, topic, profile),
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self.get_logger().info(f'labelling {topic}')

    def _input(self) -> tuple[type[CameraImage], str]:
        """Return type and name of the topic of images."""
        compressed = self.get_parameter('image_transport').value == 'compressed'
        # Beside the image as it is remapped: image:=/front/image means /front/image/compressed.
        topic = self.resolve_topic_name('image') + ('/compressed' if compressed else '')
        return CompressedImage if compressed else Image, topic

    def _active_status(self) -> dict[str, Any] | None:
        if self._subscription is None or self._worker is None:
            return None
        return self._worker.status()

    def _incompatible(self) -> list[str]:
        if self._subscription is None:
            return []
        return qos.incompatible_publishers(
            self, self._subscription.topic_name, self._subscription.qos_profile)

    def _halt(self) -> None:
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None
        if self._worker is not None:
            self._worker.stop()

    def _release(self) -> None:
        self._halt()
        self._worker = None
        if self._session is not None:
            self._session.close()
            self._session = None
            release_unused()

    def _apply(self, settings: Settings) -> None:
        self._settings = settings
        if self._session is not None:
            self._session.settings = settings

    def _watch(self) -> None:
        if self._worker is not None and self._worker.died:
            raise RuntimeError('the worker thread ended with the error above: please report it')
