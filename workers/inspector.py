"""A frame's way through a worker: decode, batch, infer, publish, done. Reads top to bottom as the frame travels."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from andon.clock import Clock
from andon.errors import DecodeError, PoisonError
from andon.events import Emit
from andon.messages import CameraStatus, ExpiredRange, Frame, Message, ShedRange
from andon.pictures.picture import DecodedPicture, Pixels
from andon.process.tracing import Trace, Tracing
from andon.stream.broker_clock import BrokerClock
from andon.stream.offsets import Partition
from andon.stream.step import NO_CUTS, Cut, Delivery
from andon.wire import Record
from andon.wire import decode as read_record
from andon.wire import encode as write_record
from workers.decoder_pool import DecoderPool
from workers.decoding.place import HOST, DecodingPlace
from workers.decoding.sessions import Decoders
from workers.decoding.stream import Outcome
from workers.decoding.video import Handler, Item, VideoPartition, VideoTools, holds_video
from workers.detector import ModelInfo
from workers.gaps import OffsetGaps, OffsetHole
from workers.inference import Inference, Response
from workers.publications import ALONE, GroupPosition, InspectorOptions, Publications
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
    place: DecodingPlace = HOST
    """Where video is decoded."""


class Inspector:
    """The workers' step: each record of `andon.frames` becomes one of `andon.inspections`, in its partition's order."""

    def __init__(self, model: ModelInfo, deps: Deps, options: InspectorOptions, clock: Clock, emit: Emit) -> None:
        self._model = model
        self._deps = deps
        self._options = options
        self._clock = clock
        self._publications = Publications(model, options, deps.limit, clock, emit)
        self._decoders = Decoders(options.video.max_decoders)
        self._ahead = asyncio.Semaphore(options.decode_ahead)

    async def open(
        self, partitions: Iterable[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, "PartitionInspection"]:
        outlet = self._deps.outlet
        return {item: PartitionInspection(self, outlet, item, cuts.get(item)) for item in partitions}

    async def inspect(
        self, hole: OffsetHole | None, delivery: Delivery, restated: CameraStatus | None = None
    ) -> Publication:
        """The consequences of one record. `hole`: may have held records of its camera.

        `restated`: the status in it, with what its camera's video shows. None: as it came.
        """
        if restated is None:
            return self._behind(hole, delivery, await self._inspect(delivery))
        return self._behind(hole, delivery, self._publications.restated(delivery, restated))

    async def inspect_video(self, item: Item, outcome: Outcome, news: CameraStatus | None) -> Publication:
        """The consequences of a frame of video, which is decoded. `news`: its camera's state has changed with it."""
        frame = outcome.record.frame
        if outcome.health is not None:
            frame = frame.model_copy(update={"health": outcome.health})
        tracing = self._deps.tracing
        trace = None if tracing is None else tracing.inspecting(frame, self._options.pool)
        if trace is None:
            publication = await self._decoded(item.delivery, frame, outcome, None)
        else:
            publication = (await self._decoded(item.delivery, trace.carried_by(frame), outcome, trace)).traced(trace)
        if news is not None:
            publication = publication.after(self._options.inspections_topic, write_record(news))
        return self._behind(item.hole, item.delivery, publication)

    def is_stale(self, delivery: Delivery, frame: Frame) -> bool:
        return is_stale(delivery.record, frame, self._deps.broker_clock.earliest())

    def video(self, handler: Handler, name: str) -> VideoPartition:
        """What decodes one partition's video. `name`: of its tasks."""
        deps = self._deps
        tools = VideoTools(deps.decoders, self._ahead, self._decoders, self._options.video, self._clock, deps.place)
        return VideoPartition(tools, handler, deps.outlet.spawn, name)

    def _behind(self, hole: OffsetHole | None, delivery: Delivery, publication: Publication) -> Publication:
        """The publication, after what its camera has to learn of the hole."""
        if hole is None:
            return publication
        record = delivery.record
        expired = ExpiredRange(
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
            case ShedRange() | CameraStatus():
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

    async def _decoded(self, delivery: Delivery, frame: Frame, outcome: Outcome, trace: Trace | None) -> Publication:
        group = GroupPosition(outcome.start, outcome.later)
        if outcome.error is not None and outcome.error.reason == "unproven":
            return self._publications.unproven(delivery, frame, group, str(outcome.error), joined=outcome.joined)
        if outcome.error is None and outcome.picture is None:
            return self._publications.stale(delivery, frame, group)
        if outcome.picture is None:
            assert outcome.error is not None
            return self._refused(delivery, frame, outcome.error, group)
        if trace is not None:
            trace.step("decode")
        try:
            response = await self._inferred(frame, outcome.picture, trace)
        except PoisonError as error:
            return self._refused(delivery, frame, error, group)
        return self._publications.inspected(delivery, frame, outcome.picture, response, group)

    def _refused(
        self, delivery: Delivery, frame: Frame, error: PoisonError, group: GroupPosition = ALONE
    ) -> Publication:
        if frame.too_large is None:
            self._deps.limit.admit(frame.camera_id, error, self._clock.monotonic())
        return self._publications.quarantined(delivery, frame, error, group)

    async def _inferred(self, frame: Frame, picture: DecodedPicture[Pixels], trace: Trace | None) -> Response:
        """Raises PoisonError: the model fails on this picture."""
        response = await self._deps.inference.infer(
            frame.camera_id, picture.pixels, None if trace is None else trace.traceparent
        )
        self._deps.limit.inspected(frame.camera_id, self._clock.monotonic())
        if trace is not None:
            trace.step("batch", response.wait_s)
            runtime, size = self._model.runtime, response.batch_size
            trace.step("infer", response.infer_s, response.beside, runtime=runtime, batch_size=size)
        return response

    async def _outcome(self, delivery: Delivery, frame: Frame, trace: Trace | None) -> Publication:
        """`frame` has the context that its inspection gets."""
        if frame.too_large is not None:
            return self._refused(delivery, frame, PoisonError("too_large", frame.too_large))
        if frame.corrupt:
            damage = frame.damage or "the camera's decoder called it corrupt"
            return self._refused(delivery, frame, PoisonError("undecodable", damage))
        async with self._ahead:
            if self.is_stale(delivery, frame):
                return self._publications.stale(delivery, frame)
            try:
                picture = await self._deps.decoders.decode(frame.payload, frame.content_type)
                if trace is not None:
                    trace.step("decode")
                response = await self._inferred(frame, picture, trace)
            except PoisonError as error:
                return self._refused(delivery, frame, error)
        return self._publications.inspected(delivery, frame, picture, response)


class PartitionInspection:
    """The inspector's step on one partition: inspects records side by side, publishes each camera's in order."""

    def __init__(self, inspector: Inspector, outlet: Outlet, partition: Partition, cut: Cut | None) -> None:
        self.resume_at = None if cut is None else cut.resume_at
        """Without a cut, the group's committed offset is right: an inspection comes before its commit."""
        self._inspector = inspector
        self._spawn = outlet.spawn
        self._partition = partition.partition
        self._publisher = OrderedPublisher(outlet, f"worker.publish.{self._partition}")
        self._gaps = OffsetGaps(cut)
        self._video = inspector.video(self, f"worker.video.{self._partition}")

    @property
    def needed_from(self) -> int | None:
        """The keyframe of the oldest group that is being decoded. The stage asks once a second."""
        self._video.close_silent()
        return self._video.needed_from()

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            hole, record = self._gaps.before(delivery), delivery.record
            if holds_video(record) or self._video.knows(record.key):
                self._video.add(Item(hole, delivery, _message(record)))
            else:
                self._publish(self._inspector.inspect(hole, delivery), delivery)

    def ordinary(self, item: Item) -> None:
        restated = item.message if isinstance(item.message, CameraStatus) and item.restated else None
        self._publish(self._inspector.inspect(item.hole, item.delivery, restated), item.delivery)

    def frame(self, item: Item, outcome: Outcome, news: CameraStatus | None) -> asyncio.Task[Publication]:
        return self._publish(self._inspector.inspect_video(item, outcome, news), item.delivery)

    def stale(self, item: Item, frame: Frame) -> bool:
        return self._inspector.is_stale(item.delivery, frame)

    async def drain(self) -> None:
        """What a decoder holds back for the order of B-frames is left to the next owner."""
        await self._video.drain()
        await self._publisher.drain()

    def discard(self) -> None:
        self._video.discard()
        self._publisher.discard()

    def _publish(self, inspecting: Coroutine[Any, Any, Publication], delivery: Delivery) -> asyncio.Task[Publication]:
        """It is published after all that were begun before."""
        task = self._spawn(inspecting, f"worker.inspect.{self._partition}.{delivery.record.offset}")
        self._publisher.add(task)
        return task


def _message(record: Record) -> Message | None:
    """None: it can't be read."""
    try:
        return read_record(record)
    except DecodeError:
        return None
