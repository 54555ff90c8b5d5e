"""The gauges of an ingester: one value for each camera that runs in it."""

from collections.abc import Callable, Iterable
from typing import get_args

from andon.messages import ImageHealth
from andon.process.metrics import Metrics, Reading
from ingest.camera import Camera
from ingest.spool_thread import SpoolThread


def add_gauges(metrics: Metrics, cameras: Callable[[], Iterable[Camera]]) -> None:
    """`cameras`: those that run now."""

    def labelled(read: Callable[[Camera], float]) -> Callable[[], list[Reading]]:
        return lambda: [((camera.settings.id,), read(camera)) for camera in cameras()]

    watch = metrics.watch
    watch("andon_ingest_mailbox_depth_frames", labelled(lambda camera: camera.depth))
    watch("andon_ingest_mailbox_capacity_frames", labelled(lambda camera: camera.settings.mailbox_frames))
    watch("andon_ingest_camera_online", labelled(lambda camera: camera.delivers))
    watch("andon_ingest_stalled_seconds", labelled(lambda camera: camera.stalled_s))
    watch("andon_ingest_camera_unhealthy", lambda: [reading for camera in cameras() for reading in _unhealthy(camera)])
    watch("andon_ingest_camera_fps_hertz", labelled(lambda camera: camera.fps))
    _add_spool_gauges(metrics, lambda: [camera.spool for camera in cameras() if camera.spool is not None])


def _unhealthy(camera: Camera) -> list[Reading]:
    return [((camera.settings.id, reason), camera.state == reason) for reason in get_args(ImageHealth)]


def _add_spool_gauges(metrics: Metrics, spools: Callable[[], Iterable[SpoolThread]]) -> None:
    def labelled(read: Callable[[SpoolThread], float]) -> Callable[[], list[Reading]]:
        return lambda: [((spool.place.camera_id,), read(spool)) for spool in spools()]

    watch = metrics.watch
    watch("andon_ingest_spool_depth_records", labelled(lambda spool: spool.depth))
    watch("andon_ingest_spool_size_bytes", labelled(lambda spool: spool.size_bytes))
    watch("andon_ingest_spool_capacity_bytes", labelled(lambda spool: spool.place.max_bytes))
    watch("andon_ingest_spool_age_seconds", labelled(lambda spool: spool.age_s))
    watch("andon_ingest_spool_full", labelled(lambda spool: bool(spool.trouble)))
