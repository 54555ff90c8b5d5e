"""A frame's way through a worker: decode, batch, detect, publish, done. Reads top to bottom as the frame travels."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from andon.clock import Clock
from andon.errors import DecodeError, PoisonError, QuarantineReason
from andon.events import Emit, FrameInspected, FramesShed, RecordQuarantined
from andon.messages import (
    CameraStatus,
    Detection,
    Expired,
    Frame,
    Inspection,
    Outcome,
    RecordRef,
    Shed,
    ShedReason,
    Timings,
)
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Outgoing, Record
from andon.wire import decode as read_record
from andon.wire import encode as write_record
from workers.decoder_pool import DecoderPool
from workers.decoding.decode import DecodedPicture
from workers.detector import ModelInfo
from workers.gaps import Gaps
from workers.inference import Inference, Response
from workers.publisher import OrderedPublisher, Outlet, Result
from workers.quarantine import QuarantineLimit, quarantined
from workers.to_inspection import detections as detected


@dataclass(frozen=True, slots=True)
class Route:
    """Where results go and what pictures may be."""

    inspections_topic: str
    quarantine_topic: str
    max_record_bytes: int
    decode_ahead: int
    """Pictures decoded and not yet inspected: what bounds the worker's memory, 6 MB each at 1080p."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What the inspector works with."""

    decoding: DecoderPool
    inference: Inference
    outlet: Outlet
    limit: QuarantineLimit


class Inspector:
    """The workers' step: each record of `andon.frames` becomes one of `andon.inspections`, in its partition's order."""

    def __init__(self, model: ModelInfo, bench: Bench, route: Route, clock: Clock, emit: Emit) -> None:
        self._model = model
        self._bench = bench
        self._route = route
        self._clock = clock
        self._emit = emit
        self._ahead = asyncio.Semaphore(route.decode_ahead)

    async def open(self, partitions: Iterable[Partition]) -> Mapping[Partition, "PartitionInspection"]:
        return {partition: PartitionInspection(self, self._bench.outlet, partition) for partition in partitions}

    async def inspect(self, gap: range, delivery: Delivery) -> Result:
        """What comes of one record; before it, where records of its camera may have expired, that they did."""
        result = await self._inspect(delivery)
        if not gap:
            return result
        record = delivery.record
        told = Expired(
            camera_id=(record.key or b"").decode(),
            topic=record.topic,
            partition=record.partition,
            first_offset=gap.start,
            last_offset=gap.stop - 1,
            at=self._clock.now(),
        )
        return Result(((self._route.inspections_topic, write_record(told)), *result.sends), result.settled)

    async def _inspect(self, delivery: Delivery) -> Result:
        """What comes of one record. Raises FatalError past the quarantine limit."""
        try:
            message = read_record(delivery.record)
        except DecodeError as error:
            return self._unreadable(delivery, error)
        match message:
            case Frame():
                return await self._inspect_frame(delivery, message)
            case Shed() | CameraStatus():
                return self._passed_on(delivery, message)
            case _:
                return self._unreadable(delivery, DecodeError(f"{type(message).__name__} does not belong here"))

    async def _inspect_frame(self, delivery: Delivery, frame: Frame) -> Result:
        if frame.corrupt:
            error = PoisonError("undecodable", "the camera's decoder called it corrupt")
            return self._quarantined(delivery, frame, error)
        async with self._ahead:
            if self._is_stale(frame):
                return self._stale(delivery, frame)
            try:
                decoded = await self._bench.decoding.decode(frame.payload, frame.content_type)
                response = await self._bench.inference.infer(frame.camera_id, decoded.pixels)
            except PoisonError as error:
                self._bench.limit.admit(error, self._clock.monotonic())
                return self._quarantined(delivery, frame, error)
        return self._inspected(delivery, frame, decoded, response)

    def _is_stale(self, frame: Frame) -> bool:
        return frame.max_age_s is not None and self._age_s(frame) > frame.max_age_s

    def _age_s(self, frame: Frame) -> float:
        return max(0.0, (self._clock.now() - frame.captured_at).total_seconds())

    # ---- the ways that a record can end

    def _inspected(self, delivery: Delivery, frame: Frame, decoded: DecodedPicture, response: Response) -> Result:
        detections = detected(response.detections, self._model, decoded)
        timings = Timings(
            decode_s=decoded.decode_s,
            wait_s=response.wait_s,
            infer_s=response.infer_s,
            batch_size=response.batch_size,
        )
        looked_at = _LookedAt(decoded.width, decoded.height, detections, timings)
        inspection = self._inspection(delivery.record, frame, "inspected", looked_at=looked_at)

        def settled() -> None:
            delivery.done()
            self._emit(FrameInspected(frame.camera_id, len(detections), decoded.decode_s, self._age_s(frame)))

        return Result(((self._route.inspections_topic, write_record(inspection)),), settled)

    def _stale(self, delivery: Delivery, frame: Frame) -> Result:
        inspection = self._inspection(delivery.record, frame, "shed", reason="stale")

        def settled() -> None:
            delivery.done()
            self._emit(FramesShed(frame.camera_id, "stale", 1, by_worker=True))

        return Result(((self._route.inspections_topic, write_record(inspection)),), settled)

    def _passed_on(self, delivery: Delivery, message: Shed | CameraStatus) -> Result:
        """As it came, so that one log for each camera carries the whole account."""
        record = delivery.record
        headers = [(name, content or b"") for name, content in record.headers]
        same = Outgoing(message.camera_id.encode(), record.value or b"", headers, max(0, record.timestamp_ms))
        return Result(((self._route.inspections_topic, same),), delivery.done)

    def _quarantined(self, delivery: Delivery, frame: Frame, error: PoisonError) -> Result:
        inspection = self._inspection(delivery.record, frame, "quarantined", reason=error.reason)
        sends = (self._to_quarantine(delivery.record, error), (self._route.inspections_topic, write_record(inspection)))
        return Result(sends, self._told(delivery, frame.camera_id, error))

    def _unreadable(self, delivery: Delivery, error: DecodeError) -> Result:
        """Whose frame it is, if it is one, can't be known: it stands in no account but the quarantine's own."""
        self._bench.limit.admit(error, self._clock.monotonic())
        return Result((self._to_quarantine(delivery.record, error),), self._told(delivery, "unknown", error))

    def _to_quarantine(self, record: Record, error: PoisonError) -> tuple[str, Outgoing]:
        return self._route.quarantine_topic, quarantined(record, error, self._route.max_record_bytes)

    def _told(self, delivery: Delivery, camera_id: str, error: PoisonError) -> "_Told":
        record = delivery.record
        where = f"{record.topic}[{record.partition}]@{record.offset}"
        return _Told(delivery, RecordQuarantined(camera_id, error.reason, where, str(error)), self._emit)

    def _inspection(
        self,
        record: Record,
        frame: Frame,
        outcome: Outcome,
        *,
        reason: ShedReason | QuarantineReason | None = None,
        looked_at: "_LookedAt | None" = None,
    ) -> Inspection:
        return Inspection(
            camera_id=frame.camera_id,
            session=frame.session,
            seq=frame.seq,
            captured_at=frame.captured_at,
            media_time_s=frame.media_time_s,
            outcome=outcome,
            reason=reason,
            detections=looked_at.detections if looked_at else (),
            width=(looked_at or frame).width,
            height=(looked_at or frame).height,
            frame=RecordRef(topic=record.topic, partition=record.partition, offset=record.offset),
            model=self._model.digest if looked_at else "",
            runtime=self._model.runtime if looked_at else "",
            timings=looked_at.timings if looked_at else Timings(),
            inspected_at=self._clock.now(),
            health=frame.health,
            part_id=frame.part_id,
        )


class PartitionInspection:
    """The inspector's step on one partition: inspects its records side by side, and publishes in their order."""

    def __init__(self, inspector: Inspector, outlet: Outlet, partition: Partition) -> None:
        self.resume_at: int | None = None
        """The group's committed offset is right: an inspection comes before its commit."""
        self._inspector = inspector
        self._spawn = outlet.spawn
        self._publisher = OrderedPublisher(outlet, f"worker.publish.{partition.partition}")
        self._gaps = Gaps()

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            gap, record = self._gaps.before(delivery), delivery.record
            inspecting = self._inspector.inspect(gap, delivery)
            self._publisher.add(self._spawn(inspecting, f"worker.inspect.{record.partition}.{record.offset}"))

    async def drain(self) -> None:
        await self._publisher.drain()

    def discard(self) -> None:
        self._publisher.discard()


@dataclass(frozen=True, slots=True)
class _LookedAt:
    """What an inspection says of a picture that the model has seen."""

    width: int
    height: int
    detections: tuple[Detection, ...]
    timings: Timings


@dataclass(frozen=True, slots=True)
class _Told:
    """Ends a quarantined record: done, and said."""

    delivery: Delivery
    event: RecordQuarantined
    emit: Emit

    def __call__(self) -> None:
        self.delivery.done()
        self.emit(self.event)
