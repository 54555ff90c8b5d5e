"""A frame's way through a worker: decode, batch, infer, publish, done. Reads top to bottom as the frame travels."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from andon.clock import Clock
from andon.errors import DecodeError, PoisonError, QuarantineReason, TooLargeError
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
from andon.pictures.picture import DecodedPicture
from andon.process.tracing import Trace, Tracing
from andon.quarantine import quarantine_record
from andon.stream.broker_clock import BrokerClock
from andon.stream.offsets import Partition
from andon.stream.step import NO_CUTS, Cut, Delivery
from andon.wire import Outgoing, Record
from andon.wire import decode as read_record
from andon.wire import encode as write_record
from workers.decoder_pool import DecoderPool
from workers.detector import ModelInfo
from workers.gaps import Gaps, Hole
from workers.inference import Inference, Response
from workers.publisher import OrderedPublisher, Outlet, Publication
from workers.quarantine import QuarantineLimit
from workers.staleness import is_stale
from workers.to_inspection import to_detections


@dataclass(frozen=True, slots=True)
class InspectorOptions:
    inspections_topic: str
    quarantine_topic: str
    max_record_bytes: int
    """A longer value is quarantined without it."""
    decode_ahead: int
    """Pictures that are decoded and not yet inspected. They make up the worker's memory: 6 MB each at 1080p."""
    pool: str = "default"


@dataclass(frozen=True, slots=True)
class Deps:
    """What the inspector works with."""

    decoders: DecoderPool
    inference: Inference
    outlet: Outlet
    limit: QuarantineLimit
    broker_clock: BrokerClock
    tracing: Tracing | None = None


class Inspector:
    """The workers' step: each record of `andon.frames` becomes one of `andon.inspections`, in its partition's order."""

    def __init__(self, model: ModelInfo, deps: Deps, options: InspectorOptions, clock: Clock, emit: Emit) -> None:
        self._model = model
        self._deps = deps
        self._options = options
        self._clock = clock
        self._emit = emit
        self._ahead = asyncio.Semaphore(options.decode_ahead)

    async def open(
        self, partitions: Iterable[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, "PartitionInspection"]:
        outlet = self._deps.outlet
        return {item: PartitionInspection(self, outlet, item, cuts.get(item)) for item in partitions}

    async def inspect(self, hole: Hole | None, delivery: Delivery) -> Publication:
        """The consequences of one record. `hole`: may have held records of its camera."""
        publication = await self._inspect(delivery)
        if hole is None:
            return publication
        record = delivery.record
        expired = Expired(
            camera_id=(record.key or b"").decode(),
            topic=record.topic,
            partition=record.partition,
            first_offset=hole.offsets.start,
            last_offset=hole.offsets.stop - 1,
            reason=hole.reason,
            at=self._clock.now(),
        )
        return publication.after(self._options.inspections_topic, write_record(expired))

    async def _inspect(self, delivery: Delivery) -> Publication:
        """Raises FatalError: the model fails on the pictures of all cameras."""
        try:
            message = read_record(delivery.record)
        except DecodeError as error:
            return self._unreadable(delivery, error)
        match message:
            case Frame():
                return await self._inspect_frame(delivery, message)
            case Shed() | CameraStatus():
                return self._forwarded(delivery, message)
            case _:
                return self._unreadable(delivery, DecodeError(f"{type(message).__name__} does not belong here"))

    async def _inspect_frame(self, delivery: Delivery, frame: Frame) -> Publication:
        tracing = self._deps.tracing
        trace = None if tracing is None else tracing.inspecting(frame, self._options.pool)
        if trace is None:
            return await self._outcome(delivery, frame, None)
        return (await self._outcome(delivery, trace.carried_by(frame), trace)).traced(trace)

    async def _outcome(self, delivery: Delivery, frame: Frame, trace: Trace | None) -> Publication:
        """`frame` has the context that its inspection gets."""
        if frame.too_large is not None:
            return self._quarantined(delivery, frame, PoisonError("too_large", frame.too_large))
        if frame.corrupt:
            error = PoisonError("undecodable", frame.damage or "the camera's decoder called it corrupt")
            self._deps.limit.admit(frame.camera_id, error, self._clock.monotonic())
            return self._quarantined(delivery, frame, error)
        async with self._ahead:
            if is_stale(delivery.record, frame, self._deps.broker_clock.earliest()):
                return self._stale(delivery, frame)
            try:
                picture = await self._deps.decoders.decode(frame.payload, frame.content_type)
                if trace is not None:
                    trace.step("decode")
                response = await self._deps.inference.infer(
                    frame.camera_id, picture.pixels, None if trace is None else trace.traceparent
                )
            except PoisonError as error:
                self._deps.limit.admit(frame.camera_id, error, self._clock.monotonic())
                return self._quarantined(delivery, frame, error)
        self._deps.limit.inspected(frame.camera_id, self._clock.monotonic())
        if trace is not None:
            trace.step("batch", response.wait_s)
            runtime, size = self._model.runtime, response.batch_size
            trace.step("infer", response.infer_s, response.beside, runtime=runtime, batch_size=size)
        return self._inspected(delivery, frame, picture, response)

    # ---- the outcomes of a record

    def _inspected(self, delivery: Delivery, frame: Frame, picture: DecodedPicture, response: Response) -> Publication:
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
        inspection = self._inspection(delivery.record, frame, "inspected", findings=findings)

        def settled() -> None:
            delivery.done()
            latency_s = max(0.0, (self._clock.now() - frame.captured_at).total_seconds())
            self._emit(FrameInspected(frame.camera_id, len(findings.detections), picture.decode_s, latency_s))

        def smaller(refusal: TooLargeError) -> Publication:
            error = PoisonError("too_large", str(refusal))
            self._deps.limit.admit(frame.camera_id, error, self._clock.monotonic())
            return self._quarantined(delivery, frame, error)

        return Publication(((self._options.inspections_topic, write_record(inspection)),), settled, smaller)

    def _stale(self, delivery: Delivery, frame: Frame) -> Publication:
        inspection = self._inspection(delivery.record, frame, "shed", reason="stale")

        def settled() -> None:
            delivery.done()
            self._emit(FramesShed(frame.camera_id, "stale", 1, by_worker=True))

        return Publication(((self._options.inspections_topic, write_record(inspection)),), settled)

    def _forwarded(self, delivery: Delivery, message: Shed | CameraStatus) -> Publication:
        """Unchanged, so that one log holds the whole account of each camera."""
        record = delivery.record
        headers = [(name, content or b"") for name, content in record.headers]
        same = Outgoing(message.camera_id.encode(), record.value or b"", headers, max(0, record.timestamp_ms))
        return Publication(((self._options.inspections_topic, same),), delivery.done)

    def _quarantined(self, delivery: Delivery, frame: Frame, error: PoisonError) -> Publication:
        inspection = self._inspection(delivery.record, frame, "quarantined", reason=error.reason)
        followed_by = ((self._options.inspections_topic, write_record(inspection)),)
        return self._to_quarantine(delivery, frame.camera_id, error, followed_by)

    def _unreadable(self, delivery: Delivery, error: DecodeError) -> Publication:
        """Its camera is unknown, so no camera's account holds it: only the quarantine does."""
        self._deps.limit.admit("unknown", error, self._clock.monotonic())
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
    ) -> Inspection:
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
            frame=RecordRef(topic=record.topic, partition=record.partition, offset=record.offset),
            model=self._model.digest if findings else "",
            runtime=self._model.runtime if findings else "",
            timings=findings.timings if findings else Timings(),
            inspected_at=self._clock.now(),
            health=frame.health,
            part_id=frame.part_id,
            traceparent=frame.traceparent,
        )


class PartitionInspection:
    """The inspector's step on one partition: inspects its records side by side, and publishes in their order."""

    def __init__(self, inspector: Inspector, outlet: Outlet, partition: Partition, cut: Cut | None) -> None:
        self.resume_at = None if cut is None else cut.resume_at
        """Without a cut, the group's committed offset is right: an inspection comes before its commit."""
        self.needed_from: int | None = None
        self._inspector = inspector
        self._spawn = outlet.spawn
        self._publisher = OrderedPublisher(outlet, f"worker.publish.{partition.partition}")
        self._gaps = Gaps(cut)

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            hole, record = self._gaps.before(delivery), delivery.record
            inspecting = self._inspector.inspect(hole, delivery)
            self._publisher.add(self._spawn(inspecting, f"worker.inspect.{record.partition}.{record.offset}"))

    async def drain(self) -> None:
        await self._publisher.drain()

    def discard(self) -> None:
        self._publisher.discard()


@dataclass(frozen=True, slots=True)
class _Findings:
    """What an inspection says of a picture that the model saw."""

    width: int
    height: int
    detections: tuple[Detection, ...]
    timings: Timings
