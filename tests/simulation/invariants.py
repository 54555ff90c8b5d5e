"""Invariants that hold once the faults are over and the line is at rest. `broker` and `store` check the others."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from andon.alarms import alarm_id
from andon.messages import CameraStatus, ExpiredRange, Frame, Inspection, PartVerdict, ShedRange
from ingest.queue import Message
from sinks.batch import ALARMS as CHANNEL
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.sessions import expire, lose_log
from sinks.judgement.state import CameraAccount, from_bytes
from sinks.judgement.step import step
from tests.simulation.broker import Result, World, first_ones, require
from tests.simulation.ingester import Camera
from tests.simulation.plan import (
    ALERTS,
    JUDGEMENT_RULES,
    PARTITIONS,
    SCRIPTS,
    RaisedEvent,
    due,
    numbers_of,
    partition_of,
    raised_by,
    undisturbed,
)
from tests.simulation.store import Gap, ModelStore

Numbers = Mapping[str, set[int]]
"""By session."""


_TIMES: Mapping[bool, Mapping[str, None]] = {
    False: {"at": None, "opened_at": None, "evidence": None},
    True: {"at": None, "crossed_at": None},
}
"""The fields with a time, by whether the event is a verdict on a part: False for a defect."""
Ledgers = Mapping[tuple[str, str], SessionLedger]
"""By camera and session."""


def check(world: World, store: ModelStore, cameras: Sequence[Camera], ledgers: Ledgers) -> None:
    for camera in cameras:
        _ingested(world, camera)
        if not world.plan.reorders:
            _in_order(world, camera)
        number = partition_of(camera.camera_id)
        _inspected(world, camera, _outcomes(world.results[number], camera.camera_id))
        accounted = [result for result in store.durable.journal[number] if not isinstance(result, str)]
        outcomes = _outcomes(accounted, camera.camera_id)
        for session, captured in camera.truth.items():
            _accounted(world, camera, session, captured, outcomes.get(session, {}), store, ledgers)
        _totals(store, camera, outcomes)
        shed = any("shed" in item for each in outcomes.values() for item in each.values())
        disturbed = bool(camera.killed or camera.split or world.plan.reorders)
        if not disturbed:
            _endings(world, camera, outcomes)
        _events(world, store, camera, disturbed=disturbed or shed)
        _alarms(store, camera)
    for number in range(PARTITIONS):
        _left(world, store, number)


def _ingested(world: World, camera: Camera) -> None:
    """The log has each frame of a session that ended by itself, either as a frame or as shed."""
    log = world.sent[partition_of(camera.camera_id)]
    frames, shed = _in_frames(log, camera, Frame), _in_frames(log, camera, ShedRange)
    for session, captured in camera.truth.items():
        sent, given_up = frames.get(session, set()), shed.get(session, set())
        name = f"{camera.camera_id}/{session}"
        require(not sent & given_up, f"{name}: {sorted(sent & given_up)} are sent and shed")
        require(sent | given_up <= set(range(captured)), f"{name}: more is sent than was captured")
        if session not in camera.killed:
            lacking = set(range(captured)) - sent - given_up
            require(not lacking, f"{name}: {sorted(lacking)} were captured and never got out")


def _in_order(world: World, camera: Camera) -> None:
    late = _overtaken(world, camera)
    require(late is None, f"{camera.camera_id}: {late} comes after later ones")


def _overtaken(world: World, camera: Camera) -> tuple[int, int] | None:
    """The first (session, number) that ingest published after a later one.

    The first copy of a frame counts.
    """
    met: set[tuple[int, int]] = set()
    last = (0, 0)
    for message in world.sent[partition_of(camera.camera_id)]:
        if isinstance(message, CameraStatus) or message.camera_id != camera.camera_id:
            continue
        for seq in numbers_of(message):
            place = (int(message.session.removeprefix("s")), seq)
            if place < last and place not in met:
                return place
            met.add(place)
            last = max(last, place)
    return None


def _in_frames(log: Sequence[Message], camera: Camera, kind: type[Frame | ShedRange]) -> Numbers:
    found: dict[str, set[int]] = {}
    for message in log:
        if isinstance(message, kind) and message.camera_id == camera.camera_id:
            numbers = numbers_of(message)
            found.setdefault(message.session, set()).update(numbers)
    return found


def _outcomes(log: Sequence[Result], camera_id: str) -> dict[str, dict[int, str]]:
    """The first outcome in the log, by session and number."""
    found: dict[str, dict[int, str]] = {}
    for result in log:
        if result.camera_id != camera_id or isinstance(result, CameraStatus | ExpiredRange):
            continue
        outcome = "shed" if isinstance(result, ShedRange) else result.outcome
        key = outcome if result.reason is None else f"{outcome}/{result.reason}"
        for seq in numbers_of(result):
            found.setdefault(result.session, {}).setdefault(seq, key)
    return found


def _inspected(world: World, camera: Camera, outcomes: Mapping[str, Mapping[int, str]]) -> None:
    for kind in (Frame, ShedRange):
        for session, numbers in _in_frames(world.frames[partition_of(camera.camera_id)], camera, kind).items():
            expired = {seq for seq in numbers if (camera.camera_id, session, seq) in world.unread_frames}
            lacking = numbers - outcomes.get(session, {}).keys() - expired
            require(not lacking, f"{camera.camera_id}/{session}: the workers lost {sorted(lacking)}")


def _accounted(
    world: World,
    camera: Camera,
    session: str,
    captured: int,
    outcomes: Mapping[int, str],
    store: ModelStore,
    ledgers: Ledgers,
) -> None:
    number = partition_of(camera.camera_id)
    log = [result for result in store.durable.journal[number] if not isinstance(result, str)]
    name = f"{camera.camera_id}/{session}"
    totals = [item.captured for item in log if isinstance(item, CameraStatus) and _is(item, camera, session)]
    known = max([*totals, *(seq + 1 for seq in outcomes)], default=0)
    if (camera.camera_id, session) not in ledgers:
        require(known == 0, f"{name} has no account, and {known} frames are known of it")
        return
    tally = ledgers[camera.camera_id, session].tally()
    require(tally.balanced, f"{name}: the account does not balance: {tally}")
    require(tally.in_flight == 0, f"{name}: {tally.in_flight} frames are in flight for ever")
    require(tally.captured == known, f"{name}: captured is {tally.captured}, the log says {known}")
    require(sum(tally.lost.values()) == known - len(outcomes), f"{name}: lost is {tally.lost}, {len(outcomes)} ended")
    if (camera.camera_id, session) in world.emptied:
        pass  # the account reports the loss, but can't know its reason
    elif (camera.camera_id, session) in world.unread:
        if session not in camera.killed and _knows_expiry(world, store, camera):
            require(tally.lost.keys() <= {"expired"}, f"{name}: expired frames are reported as {tally.lost}")
    elif session not in camera.killed:
        require(tally.captured == captured and not tally.lost, f"{name}: {captured} were captured: {tally}")
    counted = Counter({"inspected": tally.inspected}) + Counter(
        {
            f"{outcome}/{reason}": count
            for outcome in ("shed", "quarantined")
            for reason, count in getattr(tally, outcome).items()
        }
    )
    require(counted == Counter(outcomes.values()), f"{name}: counted {dict(counted)}, the log says {dict(outcomes)}")


def _totals(store: ModelStore, camera: Camera, outcomes: Mapping[str, Mapping[int, str]]) -> None:
    """The camera's running totals match the outcomes of its frames."""
    state = from_bytes(store.durable.states[partition_of(camera.camera_id), camera.camera_id])
    ends = Counter(outcome.split("/")[0] for each in outcomes.values() for outcome in each.values())
    totals = state.totals
    counted = Counter({"inspected": totals.inspected, "shed": totals.shed, "quarantined": totals.quarantined})
    require(counted == ends, f"{camera.camera_id}: the totals are {counted}, the log says {ends}")
    verdicts = (totals.passed + totals.failed, totals.unknown)
    expected = (ends["inspected"], ends["shed"] + ends["quarantined"])
    require(verdicts == expected, f"{camera.camera_id}: (judged, unknown) is {verdicts}, not {expected}")


def _is(status: CameraStatus, camera: Camera, session: str) -> bool:
    return status.camera_id == camera.camera_id and status.session == session


def _endings(world: World, camera: Camera, outcomes: Mapping[str, Mapping[int, str]]) -> None:
    """Each frame that was not shed ends as in a run without faults.

    Above all, no worker lacks what it needs to decode the frame, and ingest has shed what needs another shed frame.
    """
    for session, ended in outcomes.items():
        for seq, ending in ended.items():
            expected = "/".join(filter(None, due(camera.camera_id, session, seq, video=world.plan.video)))
            right = ending == expected or ending.startswith("shed/")
            require(right, f"{camera.camera_id}/{session}: frame {seq} ended as {ending}, not {expected}")


def _events(world: World, store: ModelStore, camera: Camera, *, disturbed: bool) -> None:
    """The events match a run without faults. Where frames were shed, lost or late, they match the log instead."""
    number = partition_of(camera.camera_id)
    raised = [event for event in store.durable.events.get(number, []) if event.camera_id == camera.camera_id]
    if disturbed:
        expected = _folded(store.durable.journal[number], camera.camera_id)
    else:
        script = SCRIPTS[world.plan.script][int(camera.camera_id.removeprefix("cam-"))]
        expected = list(undisturbed(camera.camera_id, script, video=world.plan.video))
    if world.plan.max_age_s is not None:
        raised, expected = _timeless(raised), _timeless(expected)
    ids, due = [event.event_id for event in raised], [event.event_id for event in expected]
    require(raised == expected, f"{camera.camera_id}: raised {ids}, not {due}")


def _alarms(store: ModelStore, camera: Camera) -> None:
    """Each event of an alarm was stored once and waits to leave. Its causes are the events of the account, all of them.

    Nobody acknowledges an alarm here. So it is never normal again, and counts its causes from the beginning.
    """
    number, name = partition_of(camera.camera_id), camera.camera_id
    alarms = [alarm for alarm in store.durable.alarms if alarm.camera_id == name]
    ids = [alarm.event_id for alarm in alarms]
    require(len(ids) == len(set(ids)), f"{name}: {ids}: an alarm's event was raised twice")
    waits = [item.event_id for item in store.durable.outbox if item.channel == CHANNEL]
    require([item for item in waits if item.startswith(f"{name}/")] == ids, f"{name}: alarms {ids}, {waits} wait")
    causes, active = Counter[str](), dict[str, bool]()
    for event in store.durable.events.get(number, []):
        if event.camera_id == name and (state := _alarm_of(event)) is not None:
            alarm, active[alarm] = state
            causes[alarm] += _raises(event)
    last = {alarm.alarm_id: alarm for alarm in alarms if alarm.kind != "blind"}
    stand = {item: (alarm.count, alarm.active) for item, alarm in last.items()}
    expected = {item: (count, active[item]) for item, count in causes.items() if count}
    require(stand == expected, f"{name}: alarms (count, active) stand as {stand}, not {expected}")


def _alarm_of(event: RaisedEvent) -> tuple[str, bool] | None:
    """The alarm whose cause comes or goes with this event, and whether it is there afterwards.

    No camera here has two defects of one class at a time.
    """
    if isinstance(event, PartVerdict):
        known = event.verdict != "unknown"
        return (alarm_id(event.camera_id, "reject"), event.verdict == "reject") if known else None
    return alarm_id(event.camera_id, "defect", event.label), event.transition != "closed"


def _raises(event: RaisedEvent) -> bool:
    return event.verdict == "reject" if isinstance(event, PartVerdict) else event.transition == "opened"


def _knows_expiry(world: World, store: ModelStore, camera: Camera) -> bool:
    """Whether the account can report expired frames as expired: otherwise it reports them as `missing`.

    It can't where the camera was unknown to the account, where a worker that knew of the gap has died, and where the
    log's next record does not say where the gap ends: it is a repeated one, or one that those in the gap had overtaken.
    """
    number = partition_of(camera.camera_id)
    journal = store.durable.journal[number]
    before = journal[: journal.index("expired")] if "expired" in journal else []
    known = not world.sinks.first[number] or any(
        not isinstance(item, str) and item.camera_id == camera.camera_id for item in before
    )
    return known and number not in world.blurred and _overtaken(world, camera) is None and not _repeated(world, camera)


def _repeated(world: World, camera: Camera) -> bool:
    """Whether a log holds a frame twice, or frames out of order: after a gap, that may hide which frames are missing.

    The log of frames counts too: its first copy may have expired, and the second copy follows the gap.
    """
    number = partition_of(camera.camera_id)
    return _goes_back(world.results[number], camera) or _goes_back(world.sent[number], camera)


def _goes_back(log: Iterable[Result | Message], camera: Camera) -> bool:
    last = (0, -1)
    for item in log:
        if item.camera_id == camera.camera_id and isinstance(item, Inspection | ShedRange | Frame):
            for seq in numbers_of(item):
                place = (int(item.session.removeprefix("s")), seq)
                if place <= last:
                    return True
                last = place
    return False


def _folded(log: Sequence[Result | Gap], camera_id: str) -> list[RaisedEvent]:
    state = CameraAccount(camera_id)
    events: list[RaisedEvent] = []
    for result in log:
        if isinstance(result, str):
            (expire if result == "expired" else lose_log)(state)
        elif result.camera_id == camera_id:
            events += raised_by(step(state, result, JUDGEMENT_RULES))
    return events


def _timeless(events: Iterable[RaisedEvent]) -> list[RaisedEvent]:
    """Without times: where the age of frames counts, their times come from the simulation's clock."""
    return [event.model_copy(update=_TIMES[isinstance(event, PartVerdict)]) for event in events]


def _left(world: World, store: ModelStore, number: int) -> None:
    """Each event has left the outbox, and the first copies left in order."""
    left = [item for item in first_ones(world.received) if item.partition == number]
    raised = store.durable.events.get(number, [])
    want = [event.event_id for event in raised]
    require(
        [item.event_id for item in left] == want, f"partition {number}: {[i.event_id for i in left]} left, not {want}"
    )
    same = all(item.payload == event.model_dump_json().encode() for item, event in zip(left, raised, strict=True))
    require(same, f"partition {number}: what left is not what was raised")
    held = [item.event_id for item in store.durable.outbox if item.channel == ALERTS]
    require(not held, f"{held} never left")
