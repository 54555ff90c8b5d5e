"""`andon sink`: one member of the sinks' group. Builds account, outbox, live state and retention, and runs them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

from redis.asyncio import Redis

from andon import redis, redis_server
from andon.backoff import Backoff, Retrier
from andon.errors import RetryableError
from andon.events import ServerUnfit, SettingOutdated
from andon.process.lifecycle import Life
from andon.settings import Settings
from andon.stream.broker_clock import BrokerClock
from andon.stream.clients import consumer, producer, reader, started
from andon.stream.clock_watch import ClockWatch, watched_clock
from andon.stream.consumer import KafkaConsumer
from andon.stream.duties import StageDuties, watch_duties
from andon.stream.gauges import watch_stage
from andon.stream.publisher import KafkaPublisher
from andon.stream.ranges import RangeReader
from andon.stream.reading import KafkaLogEnds, RecordReader
from andon.stream.stage import Limits, Stage
from andon.stream.topic_settings import check_topics
from andon.stream.topics import topic_there
from sinks.account import Account, AccountRules, Outlets
from sinks.alarm_relay import AlarmRelay, RelayTopics
from sinks.alarm_watch import AlarmWatch
from sinks.batch import ALARMS, CLIPS, EVIDENCE, QUARANTINE
from sinks.channels.alarms import AlarmChannel
from sinks.channels.clips import ARRIVAL_S, ClipChannel
from sinks.channels.evidence import EvidenceChannel
from sinks.channels.kafka_topic import TopicWriter
from sinks.channels.live import SINK, LiveLimits, RedisLive
from sinks.channels.log import Log
from sinks.channels.quarantine import QuarantineChannel
from sinks.channels.redis_errors import FAILURES
from sinks.channels.registry import ChannelContext, opened
from sinks.insisting import InsistingPublisher
from sinks.judgement.rules import DefectRules, JudgementRules, PartRules
from sinks.outbox import Dispatcher
from sinks.outbox_queue import NamedChannel
from sinks.retention import retention
from sinks.store.store import Store

STAGE = "sinks"
MAX_IN_FLIGHT_BYTES = 64_000_000
"""Inspections are small, so the bound in records is reached first."""
REDIS_CHECK = Backoff(first_s=0.5, most_s=30.0)
FETCH_BYTES = 200_000
"""Some hundred inspections; a transaction may hold more."""
PUBLISH_AGAIN = Backoff(first_s=0.2, most_s=10.0)
REQUESTS = 100
"""Requests of people that are on their way to the cameras' log."""
ASK_TIME_S = 2.0
"""Between two questions for the broker's time: two clocks drift apart by far less meanwhile."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The sink's connections, all started, and the line's time. They are closed after everything that uses them."""

    clock: BrokerClock
    watch: ClockWatch
    store: Store
    member: KafkaConsumer
    """Of the sinks' group."""
    requests: KafkaConsumer
    """Of the group that reads the alarms' topic."""
    ends: KafkaLogEnds
    publisher: KafkaPublisher
    log: Log
    redis: Redis


async def sink(life: Life) -> None:
    """Account until `life.stop`; then store what was read, send what can be sent, commit and leave the group.

    Raises ConfigError or FatalError, one line each, for a store, a topic or a broker that is not as it should be.
    """
    async with _clients(life) as clients:
        for line in life.settings.outdated():
            life.emit(SettingOutdated(line))
        for line in clients.store.risks:
            life.emit(ServerUnfit(line))
        async with _channels(life, clients) as channels:
            await _run(life, clients, channels)


async def _run(life: Life, clients: Clients, channels: Sequence[NamedChannel]) -> None:
    settings = life.settings
    shown = LiveLimits(silent_s=settings.run.stalled_s)
    live = RedisLive(clients.redis, settings.redis, clients.clock, life.emit, shown)
    dispatcher = Dispatcher(clients.store, channels, clients.clock, life.emit, tracing=life.tracing)
    account = Account(
        clients.store,
        clients.ends,
        Outlets(live, dispatcher, life.tracing),
        rules_of(settings),
        clients.clock,
        life.emit,
    )
    limits = Limits(settings.sinks.max_in_flight, MAX_IN_FLIGHT_BYTES)
    stage = Stage(STAGE, clients.member, account, limits, clients.clock, life.emit)
    watch_stage(life.metrics, stage, clients.member, clients.clock)
    watch_duties(life.progress, life.metrics, stage, clients.member, ("the store", "the log's ends"))
    watch_channels(life, dispatcher, live)
    life.metrics.watch("andon_sinks_outbox_depth_records", dispatcher.depths)
    life.metrics.watch("andon_sinks_outbox_age_seconds", dispatcher.ages)
    accounted = asyncio.Event()
    async with retention(life, clients.clock, lambda: dispatcher.owned) as pruning, asyncio.TaskGroup() as tasks:
        tasks.create_task(dispatcher.run(accounted), name="sink.outbox")
        tasks.create_task(live.run(accounted), name="sink.live")
        beside = [
            tasks.create_task(account.run(), name="sink.account"),
            tasks.create_task(_ready(life, stage), name="sink.ready"),
            tasks.create_task(pruning.run(), name="sink.retention"),
            tasks.create_task(_check_redis(life, clients.redis), name="sink.redis"),
            tasks.create_task(clients.watch.run(), name="sink.clock"),
            tasks.create_task(_ask_time(clients.member, stage), name="sink.time"),
            tasks.create_task(_watch_alarms(life, clients, account), name="sink.alarms"),
        ]
        relaying = tasks.create_task(_relay_requests(life, clients), name="sink.requests")
        await stage.run([settings.kafka.inspections_topic], life.stop)
        await relaying
        accounted.set()
        for task in beside:
            task.cancel()


def watch_channels(life: Life, dispatcher: Dispatcher, live: RedisLive) -> None:
    """Watch that what waits for a channel leaves, and that the live state is written."""
    duties = {name: life.progress.duty(f"channel {name}", look, (name, "the store")) for name, look in dispatcher.work}
    duties[SINK] = life.progress.duty("the live state in Redis", live.work, (SINK,))
    life.metrics.watch(
        "andon_sinks_stalled_seconds", lambda: [((name,), duty.stalled_s) for name, duty in duties.items()]
    )


async def _watch_alarms(life: Life, clients: Clients, account: Account) -> None:
    publisher = InsistingPublisher(clients.publisher, Retrier(life.emit, PUBLISH_AGAIN), "alarm checks")
    topic, rules = life.settings.kafka.inspections_topic, judgement_rules(life.settings)
    watch = AlarmWatch(lambda: account.cameras, rules, publisher, topic, clients.clock)
    life.metrics.watch("andon_sinks_alarms_standing", watch.standing)
    await watch.run()


async def _relay_requests(life: Life, clients: Clients) -> None:
    """Hand people's requests on until `life.stop`; then finish those that were read."""
    kafka, what = life.settings.kafka, "alarm requests"
    publisher = InsistingPublisher(clients.publisher, Retrier(life.emit, PUBLISH_AGAIN), what)
    relay = AlarmRelay(publisher, RelayTopics(kafka.inspections_topic, kafka.quarantine_topic), life.emit)
    limits = Limits(REQUESTS, MAX_IN_FLIGHT_BYTES)
    stage = Stage("alarms", clients.requests, relay, limits, clients.clock, life.emit)
    life.progress.duty(what, StageDuties(stage, clients.requests).records, (what, "alarms offsets", "commit"))
    async with asyncio.TaskGroup() as tasks:
        handing_on = tasks.create_task(relay.run(), name="sink.relay")
        await stage.run([kafka.alarms_topic], life.stop)
        handing_on.cancel()


def rules_of(settings: Settings) -> AccountRules:
    """The account's rules, from the settings."""
    return AccountRules(
        judgement=judgement_rules(settings),
        alerts=tuple(settings.sinks.channels),
        clips=settings.sinks.evidence.clip is not None,
        log=settings.kafka.epoch,
        batch_s=settings.sinks.batch_ms / 1000,
    )


def judgement_rules(settings: Settings) -> JudgementRules:
    """The rules of judgement, from the settings."""
    url, silence_s = settings.sinks.evidence.url, settings.sinks.silence_s
    if settings.parts is None:
        defects = DefectRules(settings.defects, url)
        return JudgementRules(defects, silence_s, None, settings.own_silence_s, settings.run.stalled_s)
    own = {camera.id: camera.parts for camera in settings.cameras if camera.parts is not None}
    rules = DefectRules(settings.defects, url, settings.parts.label)
    parts = PartRules(settings.parts, settings.defects, own)
    return JudgementRules(rules, silence_s, parts, settings.own_silence_s, settings.run.stalled_s)


@asynccontextmanager
async def _channels(life: Life, clients: Clients) -> AsyncIterator[Sequence[NamedChannel]]:
    """Every way out of the outbox. Raises ConfigError for a channel whose type or keys are wrong."""
    sinks = life.settings.sinks
    async with AsyncExitStack() as stack:
        channels = []
        for name, given in sinks.channels.items():
            context = ChannelContext(name, life.settings, clients.redis, clients.publisher, clients.clock, life.emit)
            channel = await stack.enter_async_context(opened(given, context))
            channels.append(NamedChannel(name, channel, given.max_age_s))
        place = sinks.evidence
        limit = partial(life.watchdog.limit, f"evidence at {place.url}", place.timeout_s, "sinks.evidence.timeout_s")
        evidence = EvidenceChannel(clients.log, place, life.emit, limit)
        stack.callback(evidence.close)
        if place.clip is not None:
            clips = ClipChannel(clients.log, place.url, place.clip, life.emit, limit)
            stack.callback(clips.close)
            channels.append(NamedChannel(CLIPS, clips, at_once=1, delay_s=place.clip.after_s + ARRIVAL_S))
        topic = TopicWriter(clients.publisher, life.settings.kafka.quarantine_topic)
        yield [
            *channels,
            NamedChannel(EVIDENCE, evidence, at_once=1),
            NamedChannel(ALARMS, AlarmChannel(TopicWriter(clients.publisher, life.settings.kafka.alarms_topic))),
            NamedChannel(QUARANTINE, QuarantineChannel(topic)),
        ]


@asynccontextmanager
async def _clients(life: Life) -> AsyncIterator[Clients]:
    settings, kafka = life.settings, life.settings.kafka
    async with AsyncExitStack() as stack:
        limit = partial(life.watchdog.limit, "the store", settings.sinks.store_timeout_s, "sinks.store_timeout_s")
        store = await Store.open(settings.sinks.store.get_secret_value(), limit)
        stack.push_async_callback(store.close)
        remote = redis.client(settings.redis.url.get_secret_value(), settings.redis.timeout_s)
        stack.push_async_callback(remote.aclose)
        sending = await stack.enter_async_context(started(lambda: producer(kafka, life.emit), kafka, life.emit))
        asking = await stack.enter_async_context(started(lambda: consumer(kafka, None), kafka, life.emit))
        one_by_one = await stack.enter_async_context(started(lambda: reader(kafka), kafka, life.emit))
        ranges = await stack.enter_async_context(started(lambda: consumer(kafka, None), kafka, life.emit))
        reading = await stack.enter_async_context(
            started(lambda: consumer(kafka, settings.sink_group, FETCH_BYTES), kafka, life.emit)
        )
        requests = await stack.enter_async_context(
            started(lambda: consumer(kafka, settings.alarm_group, FETCH_BYTES), kafka, life.emit)
        )
        await topic_there(reading, kafka.inspections_topic, kafka, life.emit)
        await topic_there(requests, kafka.alarms_topic, kafka, life.emit)
        topics = [kafka.inspections_topic, kafka.defects_topic, kafka.quarantine_topic, kafka.alarms_topic]
        limits = await check_topics(kafka, topics, life.emit)
        clock, watch = watched_clock(life)
        yield Clients(
            clock,
            watch,
            store,
            KafkaConsumer(reading, clock),
            KafkaConsumer(requests),
            KafkaLogEnds(asking),
            KafkaPublisher(sending, clock=clock, limits=limits),
            Log(RecordReader(one_by_one), RangeReader(ranges)),
            remote,
        )


async def _check_redis(life: Life, client: Redis) -> None:
    """Wait until Redis answers, then look once. While it is away or refuses us, its channel says so.

    Raises FatalError for a server that can't serve alerts now or later.
    """
    for attempt in count(1):
        try:
            for line in await redis_server.check(client):
                life.emit(ServerUnfit(line))
            return
        except FAILURES:
            await asyncio.sleep(REDIS_CHECK.delay_s(attempt))


async def _ask_time(member: KafkaConsumer, stage: Stage) -> None:
    """A sink may send nothing to the broker that comes back with the broker's time, so it asks for it."""
    while True:
        await asyncio.sleep(ASK_TIME_S)
        try:
            await member.ask_time(stage.lanes)
        except RetryableError:
            continue  # the stage says that the broker is away


async def _ready(life: Life, stage: Stage) -> None:
    await stage.joined.wait()
    life.ready()
