"""A frame's way through a worker: decode, batch, infer, publish, done. Reads top to bottom as the frame travels."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from andon.clock import Clock
from andon.errors import DecodeError, PoisonError
from andon.events import Emit
from andon.messages import (
    CameraStatus,
    Expired,
    Frame,
    Shed,
)
from andon.process.tracing import Trace, Tracing
from andon.stream.broker_clock import BrokerClock
from andon.stream.offsets import Partition
from andon.stream.step import NO_CUTS, Cut, Delivery
from andon.wire import decode as read_record
from andon.wire import encode as write_record
from workers.decoder_pool import DecoderPool
from workers.detector import ModelInfo
from workers.gaps import Gaps, Hole
from workers.inference import Inference
from workers.publications import InspectorOptions, Publications
from workers.publisher import OrderedPublisher, Outlet, Publication
from workers.quarantine import QuarantineLimit
from workers.staleness import is_stale


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
        self._publications = Publications(model, options, deps.limit, clock, emit)
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
            return self._publications.unreadable(delivery, error)
        match message:
            case Frame():
                return await self._inspect_frame(delivery, message)
            case Shed() | CameraStatus():
                return self._publications.forwarded(delivery, message)
            case _:
                return self._publications.unreadable(
                    delivery, DecodeError(f"{type(message).__name__} does not belong here")
                )

    async def _inspect_frame(self, delivery: Delivery, frame: Frame) -> Publication:
        tracing = self._deps.tracing
        trace = None if tracing is None else tracing.inspecting(frame, self._options.pool)
        if trace is None:
            return await self._outcome(delivery, frame, None)
        return (await self._outcome(delivery, trace.carried_by(frame), trace)).traced(trace)

    async def _outcome(self, delivery: Delivery, frame: Frame, trace: Trace | None) -> Publication:
        """`frame` has the context that its inspection gets."""
        if frame.too_large is not None:
            return self._publications.quarantined(delivery, frame, PoisonError("too_large", frame.too_large))
        if frame.corrupt:
            error = PoisonError("undecodable", frame.damage or "the camera's decoder called it corrupt")
            self._deps.limit.admit(frame.camera_id, error, self._clock.monotonic())
            return self._publications.quarantined(delivery, frame, error)
        async with self._ahead:
            if is_stale(delivery.record, frame, self._deps.broker_clock.earliest()):
                return self._publications.stale(delivery, frame)
            try:
                picture = await self._deps.decoders.decode(frame.payload, frame.content_type)
                if trace is not None:
                    trace.step("decode")
                response = await self._deps.inference.infer(
                    frame.camera_id, picture.pixels, None if trace is None else trace.traceparent
                )
            except PoisonError as error:
                self._deps.limit.admit(frame.camera_id, error, self._clock.monotonic())
                return self._publications.quarantined(delivery, frame, error)
        self._deps.limit.inspected(frame.camera_id, self._clock.monotonic())
        if trace is not None:
            trace.step("batch", response.wait_s)
            runtime, size = self._model.runtime, response.batch_size
            trace.step("infer", response.infer_s, response.beside, runtime=runtime, batch_size=size)
        return self._publications.inspected(delivery, frame, picture, response)


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
