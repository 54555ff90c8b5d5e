"""A line on four hosts, each with a clock of its own. Clocks, queue, staleness and judgement are the real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from andon.events import ClockSkew, ClockStepped, silent
from andon.messages import CameraStatus, Frame, Inspection, Message, RecordRef
from andon.settings import DefectSettings
from andon.stream.broker_clock import BrokerClock
from andon.stream.clock_watch import ClockWatch
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record, decode, encode
from ingest.dating import dated
from ingest.queue import Freshest
from ingest.sources.timeline import HostTimeline
from sinks.batch import gather
from sinks.judgement.rules import DefectRules, JudgementRules
from sinks.judgement.spans import Span, open_span
from sinks.judgement.state import CameraAccount
from sinks.store.stored import Position
from tests.fakes import START, FakeClock, RecordedEvents
from workers.staleness import is_stale

TICK_S = 0.1
TRIP_S = 0.002
NODE = "broker 1"
SILENCE_S = 3.0
INSPECTIONS = Partition("andon.inspections", 0)
RULES = JudgementRules(DefectRules(DefectSettings(), ""), SILENCE_S)


@dataclass(frozen=True, slots=True)
class Hosts:
    """What happens to the clocks. A set clock: (at this second, on this host, by how many seconds)."""

    ahead_s: dict[str, float] = field(default_factory=dict)
    """By host, at the start: `ingest`, `worker`, `sink`, `broker`. Absent: the clock is right."""
    sets: Sequence[tuple[float, str, float]] = ()
    broker_from_s: float = 0.0
    """The broker is there from this second on."""
    reports: frozenset[str] = frozenset()
    """The hosts that report that their clock and the broker's differ."""


class Host:
    def __init__(self, ahead_s: float) -> None:
        self.machine = FakeClock()
        self.machine.step(ahead_s)
        self.events = RecordedEvents()
        self.clock = BrokerClock(self.machine)
        self.watch = ClockWatch(self.clock, self.events)


class Line:
    """One `freshest` camera of ten frames a second, which is never silent and never behind."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._broker = FakeClock()
        self._broker.step(hosts.ahead_s.get("broker", 0.0))
        names = ("ingest", "worker", "sink")
        self.roles = {name: Host(hosts.ahead_s.get(name, 0.0)) for name in names}
        ingest = self.roles["ingest"].clock
        self._queue = Freshest(1000, 10**9, ingest, max_age_s=2.0 + hosts.broker_from_s)
        self._account = CameraAccount("c")
        self._log: list[Record] = []
        self.captured: list[datetime] = []
        """The true capture times."""
        self.stale = 0
        self.spans: list[Span] = []
        self.inspections: list[Inspection] = []

    @property
    def true(self) -> datetime:
        return START + timedelta(seconds=self._broker.monotonic())

    def run(self, seconds: float) -> None:
        sets = list(self._hosts.sets)
        begun = False
        while (now_s := self._broker.monotonic()) < seconds:
            while sets and sets[0][0] <= now_s:
                _, name, step_s = sets.pop(0)
                (self._broker if name == "broker" else self.roles[name].machine).step(step_s)
            frame = self._captured()
            up = now_s >= self._hosts.broker_from_s
            if up and (not begun or len(self.captured) % 10 == 0):
                self._heartbeat()
            self._queue.put(dated(frame, self.roles["ingest"].clock.redated))
            while up and (message := self._queue.take()) is not None:
                self._publish(message)
                begun = True
            if len(self.captured) % 10 == 5:
                for host in self.roles.values():
                    host.watch.look()
            self._pass(TICK_S)

    def silence(self) -> Span | None:
        """The silence that an audit on the sink's host sees now."""
        return open_span(self._account.state.delivery, "c", self.roles["sink"].clock.now(), RULES.silence("c"))

    def reported(self) -> frozenset[str]:
        return frozenset(name for name, host in self.roles.items() if host.events.of(ClockSkew))

    def steps(self, name: str) -> int:
        return len(self.roles[name].events.of(ClockStepped))

    def _pass(self, seconds: float) -> None:
        for clock in (self._broker, *(host.machine for host in self.roles.values())):
            clock.advance(seconds)

    def _captured(self) -> Frame:
        clock = self.roles["ingest"].clock
        offset_s, stamp = clock.offset_s, HostTimeline().place(None, clock)
        self.captured.append(self.true)
        return Frame(
            camera_id="c",
            session="s",
            seq=len(self.captured) - 1,
            captured_at=stamp.captured_at,
            clock="host",
            clock_offset_s=offset_s,
            width=1,
            height=1,
            payload=b"",
            max_age_s=2.0 + self._hosts.broker_from_s,
        )

    def _heartbeat(self) -> None:
        at, captured = self.roles["ingest"].clock.now(), len(self.captured)
        status = CameraStatus(camera_id="c", session="s", state="online", captured=captured, at=at)
        self._account_for(self._appended(status, self.roles["ingest"]))

    def _publish(self, message: Message) -> None:
        ingest, worker = self.roles["ingest"], self.roles["worker"]
        assert isinstance(message, Frame), f"ingest sheds {message}"
        record = self._appended(dated(message, ingest.clock.redated), ingest)
        worker.clock.read(NODE, record.timestamp_ms)
        frame = decode(record)
        assert isinstance(frame, Frame)
        if is_stale(record, frame, worker.clock.earliest()):
            self.stale += 1
        inspection = Inspection(
            camera_id="c",
            session="s",
            seq=frame.seq,
            captured_at=frame.captured_at,
            clock_offset_s=frame.clock_offset_s,
            outcome="inspected",
            width=1,
            height=1,
            frame=RecordRef(topic="andon.frames", partition=0, offset=record.offset),
            inspected_at=worker.clock.now(),
        )
        self._account_for(self._appended(inspection, worker))

    def _appended(self, message: Message, host: Host) -> Record:
        """Send a message to the broker, which stamps its record."""
        sent, sent_s = encode(message), host.machine.monotonic()
        self._pass(TRIP_S / 2)
        stamp = int(self._broker.now().timestamp() * 1000)
        self._pass(TRIP_S / 2)
        host.clock.acknowledged(NODE, sent_s, stamp)
        return Record("andon", 0, len(self._log), stamp, sent.key, sent.value, sent.headers)

    def _account_for(self, record: Record) -> None:
        sink = self.roles["sink"]
        record = Record(*INSPECTIONS, len(self._log), record.timestamp_ms, record.key, record.value, record.headers)
        self._log.append(record)
        sink.clock.read(NODE, record.timestamp_ms)
        sink.clock.followed(NODE, sink.machine.monotonic() - TICK_S, record.timestamp_ms)
        position = Position(1, "", record.offset)
        work = gather(INSPECTIONS, position, [Delivery(record, lambda: None)], sink.clock.now(), silent)
        work.step({"c": self._account}, RULES, ())
        self.inspections += work.inspections
        self.spans += work.batch.spans
