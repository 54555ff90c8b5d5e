"""The publications of a record: its inspection, or the record in quarantine, or the record as it came."""

from collections.abc import Callable
from dataclasses import dataclass

from andon.clock import Clock
from andon.errors import DecodeError, PoisonError, QuarantineReason, TooLargeError
from andon.events import Emit, FrameInspected, FramesShed, RecordQuarantined
from andon.messages import (
    CameraStatus,
    Detection,
    Frame,
    Inspection,
    Outcome,
    RecordRef,
    ShedRange,
    ShedReason,
    Timings,
)
from andon.pictures.picture import DecodedPicture, Pixels
from andon.quarantine import quarantine_record
from andon.stream.step import Delivery
from andon.wire import Outgoing, Record
from andon.wire import encode as write_record
from workers.decoding.video import VideoLimits
from workers.detector import ModelInfo
from workers.inference import Response
from workers.publisher import Publication
from workers.quarantine import QuarantineLimit
from workers.to_inspection import to_detections


@dataclass(frozen=True, slots=True)
class InspectorOptions:
    inspections_topic: str
    quarantine_topic: str
    max_record_bytes: int
    """A longer value is quarantined without it."""
    decode_ahead: int
    """Pictures that are decoded and not yet inspected. They make up the worker's memory: 6 MB each at 1080p."""
    video: VideoLimits
    pool: str = "default"


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """A frame's place in its video's group of pictures."""

    start: int | None = None
    """Offset of the record with which decoding begins. None: the frame is a picture, or has no start."""
    later: tuple[int, ...] = ()
    """Lower numbers of frames that are published after it."""


ALONE = GroupPosition()


class Publications:
    """Makes them for one worker. Event loop only."""

    def __init__(
        self, model: ModelInfo, options: InspectorOptions, limit: QuarantineLimit, clock: Clock, emit: Emit
    ) -> None:
        self._model = model
        self._options = options
        self._limit = limit
        self._clock = clock
        self._emit = emit

    def inspected(
        self,
        delivery: Delivery,
        frame: Frame,
        picture: DecodedPicture[Pixels],
        response: Response,
        group: GroupPosition = ALONE,
    ) -> Publication:
        findings = _Findings(
            picture.width,
            picture.height,
            to_detections(response.detections, self._model, picture),
            Timings(
                decode_s=picture.decode_s,
                wait_s=response.wait_s,
                infer_s=response.infer_s,
                batch_size=response.batch_size,
            ),
        )
        inspection = self._inspection(delivery.record, frame, "inspected", findings=findings, group=group)

        def settled() -> None:
            delivery.done()
            latency_s = max(0.0, (self._clock.now() - frame.captured_at).total_seconds())
            self._emit(FrameInspected(frame.camera_id, len(findings.detections), picture.decode_s, latency_s))

        def smaller(refusal: TooLargeError) -> Publication:
            error = PoisonError("too_large", str(refusal))
            self._limit.admit(frame.camera_id, error, self._clock.monotonic())
            return self.quarantined(delivery, frame, error, group)

        return Publication(((self._options.inspections_topic, write_record(inspection)),), settled, smaller)

    def restated(self, delivery: Delivery, status: CameraStatus) -> Publication:
        """A status with what the worker sees in the camera's pictures."""
        return Publication(((self._options.inspections_topic, write_record(status)),), delivery.done)

    def unproven(
        self, delivery: Delivery, frame: Frame, group: GroupPosition, why: str, *, joined: bool
    ) -> Publication:
        """No fault of the record, which stays where it is: the quarantine topic gets nothing.

        `joined`: the worker has taken over in the middle of a group. The frames up to its end are accounted for.
        """
        inspection = self._inspection(delivery.record, frame, "quarantined", reason="unproven", group=group)
        record = delivery.record

        def settled() -> None:
            delivery.done()
            if not joined:
                where = f"{record.topic}[{record.partition}]@{record.offset}"
                self._emit(RecordQuarantined(frame.camera_id, "unproven", where, why))

        return Publication(((self._options.inspections_topic, write_record(inspection)),), settled)

    def stale(self, delivery: Delivery, frame: Frame, group: GroupPosition = ALONE) -> Publication:
        inspection = self._inspection(delivery.record, frame, "shed", reason="stale", group=group)

        def settled() -> None:
            delivery.done()
            self._emit(FramesShed(frame.camera_id, "stale", 1, by_worker=True))

        return Publication(((self._options.inspections_topic, write_record(inspection)),), settled)

    def forwarded(self, delivery: Delivery, message: ShedRange | CameraStatus) -> Publication:
        """Unchanged, so that one log holds the whole account of each camera."""
        record = delivery.record
        headers = [(name, content or b"") for name, content in record.headers]
        same = Outgoing(message.camera_id.encode(), record.value or b"", headers, max(0, record.timestamp_ms))
        return Publication(((self._options.inspections_topic, same),), delivery.done)

    def quarantined(
        self, delivery: Delivery, frame: Frame, error: PoisonError, group: GroupPosition = ALONE
    ) -> Publication:
        inspection = self._inspection(delivery.record, frame, "quarantined", reason=error.reason, group=group)
        followed_by = ((self._options.inspections_topic, write_record(inspection)),)
        return self._to_quarantine(delivery, frame.camera_id, error, followed_by)

    def unreadable(self, delivery: Delivery, error: DecodeError) -> Publication:
        """Its camera is unknown, so no camera's account holds it: only the quarantine does."""
        self._limit.admit("unknown", error, self._clock.monotonic())
        return self._to_quarantine(delivery, "unknown", error, ())

    def _to_quarantine(
        self, delivery: Delivery, camera_id: str, error: PoisonError, followed_by: tuple[tuple[str, Outgoing], ...]
    ) -> Publication:
        record = delivery.record

        def publication(max_bytes: int, smaller: Callable[[TooLargeError], Publication] | None) -> Publication:
            kept = quarantine_record(record, error, max_bytes)
            return Publication(((self._options.quarantine_topic, kept), *followed_by), settled, smaller)

        def settled() -> None:
            delivery.done()
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            self._emit(RecordQuarantined(camera_id, error.reason, where, str(error)))

        return publication(self._options.max_record_bytes, lambda _: publication(0, None))

    def _inspection(
        self,
        record: Record,
        frame: Frame,
        outcome: Outcome,
        *,
        reason: ShedReason | QuarantineReason | None = None,
        findings: "_Findings | None" = None,
        group: GroupPosition = ALONE,
    ) -> Inspection:
        here = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        return Inspection(
            camera_id=frame.camera_id,
            session=frame.session,
            seq=frame.seq,
            captured_at=frame.captured_at,
            clock_offset_s=frame.clock_offset_s,
            media_time_s=frame.media_time_s,
            outcome=outcome,
            reason=reason,
            detections=findings.detections if findings else (),
            width=(findings or frame).width,
            height=(findings or frame).height,
            frame=here,
            keyframe=None if group.start is None else here.model_copy(update={"offset": group.start}),
            later=group.later,
            model=self._model.digest if findings else "",
            runtime=self._model.runtime if findings else "",
            timings=findings.timings if findings else Timings(),
            inspected_at=self._clock.now(),
            health=frame.health,
            part_id=frame.part_id,
            traceparent=frame.traceparent,
        )


@dataclass(frozen=True, slots=True)
class _Findings:
    """What an inspection says of a picture that the model saw."""

    width: int
    height: int
    detections: tuple[Detection, ...]
    timings: Timings
