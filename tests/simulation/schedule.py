"""One schedule: a seed decides the order of steps and faults. The same seed gives the same schedule."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from andon.errors import FatalError
from sinks.judgement.ledger import SessionLedger
from tests.simulation.broker import Group, Member, World, require
from tests.simulation.ingester import Camera, Ingester
from tests.simulation.invariants import check
from tests.simulation.plan import ALERTS, PARTITIONS, SCRIPTS, camera_name, drawn, partition_of
from tests.simulation.sink import Sink
from tests.simulation.store import ModelStore
from tests.simulation.worker import Worker

PATIENCE = 20_000
"""Steps within which the line must come to rest after the last fault is over."""


class FailedError(AssertionError):
    """A schedule breaks an invariant. The message says how to run it again."""

    def __init__(self, seed: int, error: BaseException) -> None:
        super().__init__(
            f"seed {seed}: {type(error).__name__}: {error}\nReplay it with: python -m tests.simulation --seed {seed}"
        )
        self.seed = seed


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of what happened in a schedule: they show that faults do happen."""

    steps: int
    faults: int
    frames: int
    events: int
    redelivered: int
    spooled: int
    shed: int
    """Frames shed because the spool was full."""
    expired: int


def simulate(seed: int, trace: list[str] | None = None) -> Report:
    """Run one schedule. Raises FailedError if an invariant does not hold."""
    schedule = _Schedule(seed, trace)
    try:
        schedule.run()
    except Exception as error:
        raise FailedError(seed, error) from error
    finally:
        schedule.close()
    return schedule.report()


class _Schedule:
    def __init__(self, seed: int, trace: list[str] | None) -> None:
        self._rng = Random(seed)
        plan = drawn(self._rng, video=seed % 3 == 2)
        self._world = World(self._rng, plan, trace)
        self._world.trace(plan)
        self._store = ModelStore(self._world)
        self._cameras = [
            Camera(camera_name(number), deque(sessions)) for number, sessions in enumerate(SCRIPTS[plan.script])
        ]
        self._ingesters = [Ingester(self._world, camera) for camera in self._cameras]
        self._started = 0
        self._steps = 0
        self._faults = 0
        self._tallies: Mapping[tuple[str, str], SessionLedger] = {}
        self._uneasy: set[str] = set()
        """Groups that are due for a rebalance."""
        for _ in range(2):
            self._start_worker()
            self._start_sink()

    def run(self) -> None:
        for _ in range(self._world.plan.steps):
            if self._rng.random() < self._world.plan.fault_rate:
                self._fault()
            self._recover(0.1)
            self._step()
        self._mend()
        self._rest()
        self._tallies = self._store.tallies()
        check(self._world, self._store, self._cameras, self._tallies)

    def close(self) -> None:
        for sink in self._sinks:
            sink.kill()

    def report(self) -> Report:
        frames = sum(sum(camera.truth.values()) for camera in self._cameras)
        events = sum(len(events) for events in self._store.durable.events.values())
        redelivered = sum(ledger.tally().redelivered for ledger in self._tallies.values())
        spooled = sum(len(camera.disk.written) for camera in self._cameras)
        shed = sum(ledger.tally().shed.get("spool_full", 0) for ledger in self._tallies.values())
        expired = sum(ledger.tally().lost.get("expired", 0) for ledger in self._tallies.values())
        return Report(self._steps, self._faults, frames, events, redelivered, spooled, shed, expired)

    @property
    def _workers(self) -> list[Member]:
        return self._world.workers.members

    @property
    def _sinks(self) -> list[Member]:
        return self._world.sinks.members

    def _step(self) -> None:
        calm = self._world.calm
        able: list[Ingester | Member] = [item for item in self._ingesters if item.alive and not (calm and item.idle)]
        for group in (self._world.workers, self._world.sinks):
            able += group.members if calm else [item for item in group.members if not item.stopped]
        if able:
            actor = able[int(self._rng.random() * len(able))]
            try:
                actor.step()
            except FatalError as error:
                self._ends(actor, error)
            self._leave()
        self._world.tick()
        self._steps += 1

    def _leave(self) -> None:
        """Remove members from their group that had the signal to end and have drained."""
        for group in (self._world.workers, self._world.sinks):
            for member in [item for item in group.members if item.ended and not item.stopped]:
                self._world.trace(member.name, "has ended")
                group.members.remove(member)
                member.kill()
                self._uneasy.add(group.topic)

    # ---- faults

    def _fault(self) -> None:
        world, rng = self._world, self._rng
        fault = rng.choice(sorted(world.plan.faults)) if world.plan.faults else ""
        running = [item for item in self._ingesters if item.alive]
        if fault == "broker_away":
            world.broker_up = not world.broker_up
        elif fault == "ingester_killed" and running:
            ingester = rng.choice(running)
            ingester.kill() if ingester.spooling is None or rng.random() < 0.5 else ingester.end()
        elif fault in ("worker_killed", "sink_killed"):
            self._kill(world.workers if fault == "worker_killed" else world.sinks)
        elif fault in ("worker_ends", "sink_ends"):
            self._end(world.workers if fault == "worker_ends" else world.sinks)
        elif fault in ("worker_stopped", "sink_stopped"):
            self._stop(world.workers if fault == "worker_stopped" else world.sinks)
        elif fault == "expired":
            self._expire(rng.choice((world.workers, world.sinks)), rng.randrange(PARTITIONS))
        elif fault == "broker_empty" and rng.random() < 0.3:
            self._empty()
        elif fault == "clock_set":
            world.clock.step(rng.choice((-3600.0, -5.0, 5.0, 3600.0)))
        elif fault == "rebalance":
            self._uneasy.add(rng.choice((world.workers, world.sinks)).topic)
        else:
            return
        self._faults += 1
        world.trace("FAULT", fault)

    def _expire(self, group: Group, partition: int) -> None:
        if self._world.expire(group, partition):
            for ingester in self._ingesters:
                if partition_of(ingester.camera.camera_id) == partition:
                    ingester.camera.split = True
                    ingester.go_on()

    def _empty(self) -> None:
        """Restart every process with the new log's name, except for stopped sinks: these wake as zombies."""
        world = self._world
        for ingester in self._ingesters:
            camera = ingester.camera
            world.emptied |= {(camera.camera_id, session) for session in camera.truth}
            camera.split = True
        world.come_back_empty()
        for group in (world.workers, world.sinks):
            for member in list(group.members):
                if not member.stopped or member.settling or group is world.workers:
                    group.members.remove(member)
                    member.kill()
            self._uneasy.add(group.topic)
        for ingester in self._ingesters:
            ingester.go_on()

    def _ends(self, actor: Ingester | Member, error: FatalError) -> None:
        """Remove a process that ended with an error. `_recover` starts another one later."""
        self._world.trace(actor.name, "ends:", error)
        actor.kill()
        for group in (self._world.workers, self._world.sinks):
            if actor in group.members:
                group.members.remove(actor)
                self._uneasy.add(group.topic)

    def _kill(self, group: Group) -> None:
        if group.members:
            member = self._rng.choice(group.members)
            group.members.remove(member)
            member.kill()
            self._uneasy.add(group.topic)

    def _end(self, group: Group) -> None:
        """Let a process drain and leave. A rebalance or any other fault may come before it has left."""
        able = [member for member in group.members if not member.stopped]
        if able:
            self._rng.choice(able).end()
            if self._rng.random() < 0.5:
                self._uneasy.add(group.topic)

    def _stop(self, group: Group) -> None:
        able = [member for member in group.members if not member.stopped]
        if able:
            # prefer one in the middle of a write: when it wakes and writes, another has begun from the same offset
            self._rng.choice([member for member in able if member.midway] or able).stopped = True
            self._uneasy.add(group.topic)

    def _recover(self, likely: float) -> None:
        """Mend faults that end by themselves after some time."""
        world, rng = self._world, self._rng
        if len(self._workers) < 2 and rng.random() < likely:
            self._start_worker()
        if len(self._sinks) < 2 and rng.random() < likely:
            self._start_sink()
        for number, ingester in enumerate(self._ingesters):
            if not ingester.alive and rng.random() < likely:
                self._ingesters[number] = Ingester(world, ingester.camera)
        for group in (world.workers, world.sinks):
            if group.topic in self._uneasy and rng.random() < likely:
                self._rebalance(group)
            for member in group.members:
                if member.stopped and rng.random() < likely / 2:
                    member.stopped = False
                    world.trace(member.name, "wakes")
                    self._uneasy.add(group.topic)  # it learns of the rebalance later: until then it is a zombie
        if not world.broker_up and rng.random() < likely:
            world.broker_up = True

    def _rebalance(self, group: Group) -> None:
        self._uneasy.discard(group.topic)
        for member in list(group.members):
            if not member.stopped and isinstance(member, Sink) and member.log != self._world.log:
                self._ends(member, FatalError("it is restarted with the new log's name"))
        if not self._world.rebalance(group):
            self._uneasy.add(group.topic)

    def _start_worker(self) -> None:
        self._started += 1
        self._world.workers.members.append(Worker(self._world, self._started))
        self._uneasy.add(self._world.workers.topic)

    def _start_sink(self) -> None:
        self._started += 1
        self._world.sinks.members.append(Sink(self._world, self._store, self._started))
        self._uneasy.add(self._world.sinks.topic)

    # ---- the end

    def _mend(self) -> None:
        world = self._world
        world.calm = True
        world.trace("everything is mended")
        self._recover(2.0)
        self._recover(2.0)

    def _rest(self) -> None:
        for _ in range(PATIENCE):
            if self._uneasy or min(len(self._workers), len(self._sinks)) < 2:
                self._recover(0.5)
            self._step()
            if self._steps % 8:
                continue
            for ingester in self._ingesters:
                if ingester.unplaced:
                    ingester.go_on()
            if not self._uneasy and self._at_rest():
                return
        require(False, f"nothing comes to rest: {self._standing()}")

    def _at_rest(self) -> bool:
        world = self._world
        logs = ((world.workers, world.frames), (world.sinks, world.inspections))
        return (
            not self._busy()
            and all(group.committed[n] == len(log[n]) for group, log in logs for n in range(PARTITIONS))
            and not any(item.channel == ALERTS for item in self._store.durable.outbox)
        )

    def _standing(self) -> str:
        world = self._world
        lengths = [[len(log) for log in logs] for logs in (world.frames, world.inspections)]
        committed = [world.workers.committed, world.sinks.committed]
        return f"logs {lengths}, committed {committed}, busy {self._busy()}, stored {self._store.durable.positions}"

    def _busy(self) -> list[str]:
        ingesting = [item.name for item in self._ingesters if not item.idle]
        return ingesting + [item.name for item in (*self._workers, *self._sinks) if not item.idle]
